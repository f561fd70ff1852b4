select * from (
  select (select sum(amount) from {{ ref('days') }}) as of_days, (select sum(amount) from {{ ref('orders') }}) as of_orders
)
where of_days != of_orders
