{{ config(materialized='incremental', incremental_strategy='insert_overwrite', partition_by={'field':'happened','data_type':'timestamp','granularity':'hour'}) }}
select timestamp(day) as happened, id from {{ ref('orders') }}
