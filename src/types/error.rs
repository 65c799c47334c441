//! Errors as PostgreSQL reports them. One type for everything that may reach a client.

use std::fmt;

/// A five-character SQLSTATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SqlState(pub [u8; 5]);

macro_rules! states {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        impl SqlState { $($(#[$doc])* pub const $name: SqlState = SqlState(*$code);)* }
    };
}

states! {
    PROTOCOL_VIOLATION = b"08P01";
    FEATURE_NOT_SUPPORTED = b"0A000";
    CARDINALITY_VIOLATION = b"21000";
    STRING_TRUNCATION = b"22001";
    NUMERIC_OUT_OF_RANGE = b"22003";
    NULL_NOT_ALLOWED = b"22004";
    INVALID_DATETIME_FORMAT = b"22007";
    DATETIME_OVERFLOW = b"22008";
    DIVISION_BY_ZERO = b"22012";
    INTERVAL_OVERFLOW = b"22015";
    INVALID_PARAMETER = b"22023";
    INVALID_TEXT = b"22P02";
    INVALID_BINARY = b"22P03";
    NOT_NULL_VIOLATION = b"23502";
    FOREIGN_KEY_VIOLATION = b"23503";
    UNIQUE_VIOLATION = b"23505";
    CHECK_VIOLATION = b"23514";
    ACTIVE_TRANSACTION = b"25001";
    READ_ONLY_TRANSACTION = b"25006";
    NO_ACTIVE_TRANSACTION = b"25P01";
    IN_FAILED_TRANSACTION = b"25P02";
    INVALID_STATEMENT_NAME = b"26000";
    INVALID_PASSWORD = b"28P01";
    DEPENDENT_OBJECTS = b"2BP01";
    INVALID_CURSOR_NAME = b"34000";
    INVALID_CATALOG_NAME = b"3D000";
    INVALID_SCHEMA_NAME = b"3F000";
    SERIALIZATION_FAILURE = b"40001";
    INSUFFICIENT_PRIVILEGE = b"42501";
    SYNTAX_ERROR = b"42601";
    DUPLICATE_COLUMN = b"42701";
    AMBIGUOUS_COLUMN = b"42702";
    UNDEFINED_COLUMN = b"42703";
    UNDEFINED_OBJECT = b"42704";
    DUPLICATE_OBJECT = b"42710";
    DUPLICATE_ALIAS = b"42712";
    AMBIGUOUS_FUNCTION = b"42725";
    GROUPING_ERROR = b"42803";
    DATATYPE_MISMATCH = b"42804";
    WRONG_OBJECT_TYPE = b"42809";
    CANNOT_COERCE = b"42846";
    UNDEFINED_FUNCTION = b"42883";
    UNDEFINED_TABLE = b"42P01";
    UNDEFINED_PARAMETER = b"42P02";
    DUPLICATE_CURSOR = b"42P03";
    DUPLICATE_PREPARED = b"42P05";
    DUPLICATE_SCHEMA = b"42P06";
    DUPLICATE_TABLE = b"42P07";
    AMBIGUOUS_PARAMETER = b"42P08";
    INVALID_COLUMN_REFERENCE = b"42P10";
    INVALID_TABLE_DEFINITION = b"42P16";
    WINDOWING_ERROR = b"42P20";
    INDETERMINATE_DATATYPE = b"42P18";
    OUT_OF_MEMORY = b"53200";
    TOO_MANY_CONNECTIONS = b"53300";
    PROGRAM_LIMIT_EXCEEDED = b"54000";
    OBJECT_NOT_IN_STATE = b"55000";
    CANNOT_CHANGE_PARAMETER = b"55P02";
    QUERY_CANCELED = b"57014";
    ADMIN_SHUTDOWN = b"57P01";
    CANNOT_CONNECT_NOW = b"57P03";
    IO_ERROR = b"58030";
    INTERNAL_ERROR = b"XX000";
    DATA_CORRUPTED = b"XX001";
}

impl SqlState {
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("SQLSTATE constants are ASCII")
    }
}

/// An error with the fields that PostgreSQL's ErrorResponse carries.
///
/// `message` is short, factual, lower case and without a full stop; `detail` and `hint` are whole sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgError {
    pub state: SqlState,
    pub message: String,
    pub rest: Option<Box<PgErrorFields>>,
}

/// The optional fields of a [`PgError`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PgErrorFields {
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// Byte offset into the statement, from 0; the wire turns it into PostgreSQL's character position from 1.
    pub position: Option<usize>,
    pub schema: Option<String>,
    pub table: Option<String>,
    pub column: Option<String>,
    pub constraint: Option<String>,
}

pub type PgResult<T> = Result<T, PgError>;

impl PgError {
    pub fn new(state: SqlState, message: impl Into<String>) -> Self {
        Self { state, message: message.into(), rest: None }
    }

    /// `0A000`: PostgreSQL can do it, Sluice cannot yet.
    pub fn unsupported(what: impl fmt::Display) -> Self {
        Self::new(SqlState::FEATURE_NOT_SUPPORTED, format!("{what} is not supported"))
    }

    /// `XX000`: an invariant of Sluice's own is broken.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(SqlState::INTERNAL_ERROR, message)
    }

    fn fields(&mut self) -> &mut PgErrorFields {
        self.rest.get_or_insert_default()
    }

    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.fields().detail = Some(detail.into());
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.fields().hint = Some(hint.into());
        self
    }

    /// `offset`: bytes into the statement, from 0. The first position that is set stays.
    pub fn at(mut self, offset: usize) -> Self {
        self.fields().position.get_or_insert(offset);
        self
    }

    pub fn table(mut self, schema: impl Into<String>, table: impl Into<String>) -> Self {
        self.fields().schema = Some(schema.into());
        self.fields().table = Some(table.into());
        self
    }

    pub fn column(mut self, column: impl Into<String>) -> Self {
        self.fields().column = Some(column.into());
        self
    }

    pub fn constraint(mut self, constraint: impl Into<String>) -> Self {
        self.fields().constraint = Some(constraint.into());
        self
    }
}

impl fmt::Display for PgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PgError {}

impl From<PgError> for datafusion::error::DataFusionError {
    fn from(error: PgError) -> Self {
        datafusion::error::DataFusionError::External(Box::new(error))
    }
}

/// Finds the [`PgError`] inside what DataFusion wrapped around it; anything else becomes `XX000` (or `53200` where
/// memory ran out).
impl From<datafusion::error::DataFusionError> for PgError {
    fn from(error: datafusion::error::DataFusionError) -> Self {
        use datafusion::error::DataFusionError as E;
        let root = error.find_root();
        if let E::External(inner) = root
            && let Some(pg) = inner.downcast_ref::<PgError>()
        {
            return pg.clone();
        }
        match root {
            E::ResourcesExhausted(message) => {
                PgError::new(SqlState::OUT_OF_MEMORY, format!("out of memory: {message}"))
            }
            E::NotImplemented(message) => PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message.clone()),
            _ => PgError::internal(error.strip_backtrace()),
        }
    }
}

impl From<arrow::error::ArrowError> for PgError {
    fn from(error: arrow::error::ArrowError) -> Self {
        datafusion::error::DataFusionError::from(error).into()
    }
}
