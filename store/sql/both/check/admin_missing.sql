-- Where there are users, there is one who may change access.
SELECT count(*) || ' users' FROM user_account
HAVING count(*) > 0 AND count(CASE WHEN role = 'admin' AND NOT disabled THEN 1 END) = 0
