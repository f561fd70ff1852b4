{{ config(materialized='incremental', unique_key='id', on_schema_change='sync_all_columns') }}
select id, customer {% if var('more', false) %}, day{% endif %} from {{ ref('orders') }}
