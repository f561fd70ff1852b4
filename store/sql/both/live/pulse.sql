-- How far the commits are, and the highest number of a run.
SELECT term, batch, run_max FROM leader
