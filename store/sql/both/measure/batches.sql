-- How many batches the present leader committed.
SELECT batch FROM leader
