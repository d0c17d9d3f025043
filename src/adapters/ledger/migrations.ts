/**
 * The schema of `.millrace/ledger.db`, as steps from one version to the next; `PRAGMA user_version` counts those that were taken.
 * A step that was released is never changed. A file with a higher count is of a later release and is refused untouched.
 *
 * `attempts` has one row per attempt in the order in which they ended; its columns are those of `AttemptRow`. Times are
 * milliseconds since 1970, as real numbers because clocks give fractions. The one index serves the history of a task.
 */
export const MIGRATIONS: readonly string[] = [
  `create table attempts (
     id integer primary key,
     run_id text not null,
     task_key text not null,
     pipeline text not null,
     stage text not null,
     entity text not null,
     path text not null,
     attempt integer not null,
     result text not null,
     reasons text not null,
     started_at real not null,
     duration_ms real not null,
     content_hash text,
     error text,
     category text,
     log text not null
   ) strict;
   create index attempts_by_entity on attempts (entity);`,
];
