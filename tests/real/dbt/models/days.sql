{{ config(materialized='table', partition_by={'field': 'day', 'data_type': 'date'}, cluster_by=['customer']) }}
select day, customer, amount from {{ ref('orders') }}
