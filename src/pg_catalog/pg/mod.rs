//! `pg_catalog`.

mod pg_aggregate;
mod pg_am;
mod pg_amop;
mod pg_amproc;
mod pg_attrdef;
mod pg_attribute;
mod pg_auth_members;
mod pg_authid;
mod pg_cast;
mod pg_class;
mod pg_collation;
mod pg_constraint;
mod pg_cursors;
mod pg_database;
mod pg_depend;
mod pg_description;
mod pg_extension;
mod pg_index;
mod pg_indexes;
mod pg_init_privs;
mod pg_language;
mod pg_locks;
mod pg_matviews;
mod pg_namespace;
mod pg_opclass;
mod pg_operator;
mod pg_opfamily;
mod pg_prepared_statements;
mod pg_proc;
mod pg_range;
mod pg_rewrite;
mod pg_roles;
mod pg_sequence;
mod pg_settings;
mod pg_shadow;
mod pg_stat_activity;
mod pg_stat_database;
mod pg_stat_indexes;
mod pg_stat_tables;
mod pg_tables;
mod pg_tablespace;
mod pg_timezone_abbrevs;
mod pg_timezone_names;
mod pg_type;
mod pg_views;

pub(super) use pg_sequence::sequences;

use super::Fill;

pub(super) const RELATIONS: &[(&str, Fill)] = &[
    ("pg_aggregate", pg_aggregate::fill),
    ("pg_am", pg_am::fill),
    ("pg_amop", pg_amop::fill),
    ("pg_amproc", pg_amproc::fill),
    ("pg_attrdef", pg_attrdef::fill),
    ("pg_attribute", pg_attribute::fill),
    ("pg_auth_members", pg_auth_members::fill),
    ("pg_authid", pg_authid::fill),
    ("pg_cast", pg_cast::fill),
    ("pg_class", pg_class::fill),
    ("pg_collation", pg_collation::fill),
    ("pg_constraint", pg_constraint::fill),
    ("pg_cursors", pg_cursors::fill),
    ("pg_database", pg_database::fill),
    ("pg_db_role_setting", pg_auth_members::role_settings),
    ("pg_default_acl", pg_auth_members::defaults),
    ("pg_depend", pg_depend::fill),
    ("pg_description", pg_description::fill),
    ("pg_extension", pg_extension::fill),
    ("pg_group", pg_shadow::groups),
    ("pg_index", pg_index::fill),
    ("pg_indexes", pg_indexes::fill),
    ("pg_init_privs", pg_init_privs::fill),
    ("pg_language", pg_language::fill),
    ("pg_locks", pg_locks::fill),
    ("pg_matviews", pg_matviews::fill),
    ("pg_namespace", pg_namespace::fill),
    ("pg_opclass", pg_opclass::fill),
    ("pg_operator", pg_operator::fill),
    ("pg_opfamily", pg_opfamily::fill),
    ("pg_prepared_statements", pg_prepared_statements::fill),
    ("pg_proc", pg_proc::fill),
    ("pg_range", pg_range::fill),
    ("pg_rewrite", pg_rewrite::fill),
    ("pg_roles", pg_roles::fill),
    ("pg_sequence", pg_sequence::fill),
    ("pg_sequences", pg_sequence::view),
    ("pg_settings", pg_settings::fill),
    ("pg_shadow", pg_shadow::fill),
    ("pg_stat_activity", pg_stat_activity::fill),
    ("pg_stat_all_indexes", pg_stat_indexes::all),
    ("pg_stat_all_tables", pg_stat_tables::all),
    ("pg_stat_database", pg_stat_database::fill),
    ("pg_stat_sys_indexes", pg_stat_indexes::system),
    ("pg_stat_sys_tables", pg_stat_tables::system),
    ("pg_stat_user_indexes", pg_stat_indexes::user),
    ("pg_stat_user_tables", pg_stat_tables::user),
    ("pg_statio_all_indexes", pg_stat_indexes::all),
    ("pg_statio_all_tables", pg_stat_tables::all_io),
    ("pg_statio_sys_indexes", pg_stat_indexes::system),
    ("pg_statio_sys_tables", pg_stat_tables::system_io),
    ("pg_statio_user_indexes", pg_stat_indexes::user),
    ("pg_statio_user_tables", pg_stat_tables::user_io),
    ("pg_tables", pg_tables::fill),
    ("pg_tablespace", pg_tablespace::fill),
    ("pg_timezone_abbrevs", pg_timezone_abbrevs::fill),
    ("pg_timezone_names", pg_timezone_names::fill),
    ("pg_type", pg_type::fill),
    ("pg_user", pg_shadow::users),
    ("pg_views", pg_views::fill),
];

/// Relations whose rows are the same for everybody and always.
pub(super) const FIXED: &[&str] = &[
    "pg_aggregate",
    "pg_am",
    "pg_amop",
    "pg_amproc",
    "pg_cast",
    "pg_collation",
    "pg_language",
    "pg_opclass",
    "pg_operator",
    "pg_opfamily",
    "pg_proc",
    "pg_range",
    "pg_tablespace",
    "pg_timezone_abbrevs",
];

/// Relations of what Sluice does not have: to be empty is their true content.
pub(super) const EMPTY: &[&str] = &[
    // No table has a parent, a partition, a trigger, a rule of its own or a policy.
    "pg_inherits",
    "pg_partitioned_table",
    "pg_trigger",
    "pg_event_trigger",
    "pg_policy",
    "pg_policies",
    "pg_rules",
    // No enum types, conversions, transforms, text search or large objects.
    "pg_enum",
    "pg_conversion",
    "pg_transform",
    "pg_ts_config",
    "pg_ts_config_map",
    "pg_ts_dict",
    "pg_ts_parser",
    "pg_ts_template",
    "pg_largeobject",
    "pg_largeobject_metadata",
    // No extensions that could be made, and no foreign data.
    "pg_available_extensions",
    "pg_available_extension_versions",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_foreign_table",
    "pg_user_mapping",
    "pg_user_mappings",
    // No replication: Sluice reads changes, nobody reads its own.
    "pg_publication",
    "pg_publication_namespace",
    "pg_publication_rel",
    "pg_publication_tables",
    "pg_subscription",
    "pg_subscription_rel",
    "pg_stat_subscription",
    "pg_stat_subscription_stats",
    "pg_replication_origin",
    "pg_replication_origin_status",
    "pg_replication_slots",
    "pg_stat_replication",
    "pg_stat_replication_slots",
    "pg_stat_wal_receiver",
    // No planner statistics.
    "pg_statistic",
    "pg_statistic_ext",
    "pg_statistic_ext_data",
    "pg_stats",
    "pg_stats_ext",
    "pg_stats_ext_exprs",
    // No labels; nothing shared has a comment.
    "pg_parameter_acl",
    "pg_seclabel",
    "pg_seclabels",
    "pg_shseclabel",
    "pg_shdepend",
    "pg_shdescription",
    // No two-phase commit; nothing to report progress on.
    "pg_prepared_xacts",
    "pg_stat_progress_analyze",
    "pg_stat_progress_basebackup",
    "pg_stat_progress_cluster",
    "pg_stat_progress_copy",
    "pg_stat_progress_create_index",
    "pg_stat_progress_vacuum",
    "pg_statio_all_sequences",
    "pg_statio_sys_sequences",
    "pg_statio_user_sequences",
    // No functions of users.
    "pg_stat_user_functions",
    "pg_stat_xact_user_functions",
];
