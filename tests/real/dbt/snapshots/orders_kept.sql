{% snapshot orders_kept %}
{{ config(target_schema='shop', unique_key='id', strategy='check', check_cols=['customer', 'amount']) }}
select * from {{ ref('orders') }}
{% endsnapshot %}
