{{ config(materialized='table', persist_docs={'relation': true, 'columns': true}, labels={'team': 'x'}, hours_to_expiration=12, require_partition_filter=false, partition_by={'field':'day','data_type':'date','granularity':'month'}) }}
select id, customer, day from {{ ref('orders') }}
