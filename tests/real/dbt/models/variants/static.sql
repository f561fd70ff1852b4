{{ config(materialized='incremental', incremental_strategy='insert_overwrite', partition_by={'field':'day','data_type':'date'}, partitions=["date '2026-01-01'"]) }}
select day, id from {{ ref('orders') }} {% if is_incremental() %} where day = '2026-01-01' {% endif %}
