{{ config(materialized='view') }}
select customer, count(*) as orders, sum(amount) as amount
from {{ ref('orders') }}
where customer is not null
group by customer
