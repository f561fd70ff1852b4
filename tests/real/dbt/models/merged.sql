{{ config(materialized='incremental', unique_key='id') }}
select id, customer, day, amount from {{ ref('orders') }}
{% if is_incremental() %} where day >= (select max(day) from {{ this }}) {% endif %}
