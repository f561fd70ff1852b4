{{ config(materialized='incremental', incremental_strategy='insert_overwrite', partition_by={'field':'id','data_type':'int64','range':{'start':0,'end':100,'interval':10}}, cluster_by=['customer']) }}
select id, customer from {{ ref('orders') }}
