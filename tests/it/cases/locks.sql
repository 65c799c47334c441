SELECT pg_advisory_lock(42), pg_try_advisory_lock(42), pg_try_advisory_lock(1, 2), pg_try_advisory_lock_shared(7);
-- pg_advisory_lock:void | pg_try_advisory_lock:bool | pg_try_advisory_lock:bool | pg_try_advisory_lock_shared:bool
--  | t | t | t

SELECT classid, objid, objsubid, mode, granted, pid = pg_backend_pid() AS mine FROM pg_locks WHERE locktype = 'advisory' ORDER BY 1, 2;
-- classid:oid | objid:oid | objsubid:int2 | mode:text | granted:bool | mine:bool
-- 0 | 7 | 1 | ShareLock | t | t
-- 0 | 42 | 1 | ExclusiveLock | t | t
-- 1 | 2 | 2 | ExclusiveLock | t | t

SELECT pg_advisory_unlock(42), pg_advisory_unlock(42), pg_advisory_unlock(42), pg_advisory_unlock(7);
-- pg_advisory_unlock:bool | pg_advisory_unlock:bool | pg_advisory_unlock:bool | pg_advisory_unlock:bool
-- t | t | f | f

SELECT pg_advisory_unlock_shared(7), pg_advisory_unlock_shared(7);
-- pg_advisory_unlock_shared:bool | pg_advisory_unlock_shared:bool
-- t | f

SELECT pg_try_advisory_xact_lock(5000000000);
-- pg_try_advisory_xact_lock:bool
-- t

SELECT count(*) FROM pg_locks WHERE locktype = 'advisory';
-- count:int8
-- 1

BEGIN;
-- BEGIN

SELECT pg_advisory_xact_lock(5000000000), pg_advisory_xact_lock_shared(-1, -1);
-- pg_advisory_xact_lock:void | pg_advisory_xact_lock_shared:void
--  |

SELECT classid, objid, objsubid, mode FROM pg_locks WHERE locktype = 'advisory' ORDER BY 1, 2;
-- classid:oid | objid:oid | objsubid:int2 | mode:text
-- 1 | 2 | 2 | ExclusiveLock
-- 1 | 705032704 | 1 | ExclusiveLock
-- 4294967295 | 4294967295 | 2 | ShareLock

SELECT pg_advisory_unlock(5000000000);
-- pg_advisory_unlock:bool
-- f

ROLLBACK;
-- ROLLBACK

SELECT classid, objid, objsubid, mode FROM pg_locks WHERE locktype = 'advisory' ORDER BY 1, 2;
-- classid:oid | objid:oid | objsubid:int2 | mode:text
-- 1 | 2 | 2 | ExclusiveLock

SELECT pg_advisory_lock(NULL);
-- pg_advisory_lock:void
-- ∅

SELECT pg_advisory_unlock_all();
-- pg_advisory_unlock_all:void
--

SELECT count(*) FROM pg_locks WHERE locktype = 'advisory';
-- count:int8
-- 0
