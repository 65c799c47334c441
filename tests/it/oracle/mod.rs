//! Promise 2, by force: random tables, random views and random changes; after every tick each view must be what its query
//! gives, run by hand over the same tick.
//!
//! In this process, over the library's own face (`engine`, `sql`): the shortest way from a change to an answer. A failing
//! case shrinks, and is printed as a script that a person can replay, here or in PostgreSQL.
//!
//! | variable | |
//! |---|---|
//! | `SLUICE_ORACLE_CASES` | how many random cases (CI and long mode: thousands) |
//! | `SLUICE_ORACLE_SEED` | of the first one, the next ones count on; a long run without it takes one from the clock and prints it |
//! | `SLUICE_ORACLE_THREADS` | cases side by side; without it two for each core |
//! | `SLUICE_ORACLE_POSTGRES` | a server that every answer is compared with too |

mod benchmark;
mod case;
mod compare;
mod coverage;
mod errors;
mod explained;
mod filling;
mod found;
mod grammar;
mod nexmark;
mod postgres;
mod random;
mod rig;
mod shrink;
mod tables;
mod tape;
mod tpch;
mod values;
