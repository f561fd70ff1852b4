-- What a commit waits for: 2 is full.
SELECT 'synchronous ' || CASE synchronous WHEN 0 THEN 'off' WHEN 1 THEN 'normal' WHEN 2 THEN 'full' ELSE 'extra' END
FROM pragma_synchronous
