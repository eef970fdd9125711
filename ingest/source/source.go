// Package source is the room's contract: what a connector must be. Retry, pace,
// positions, publishing, counts and lineage are the Runner's, never a connector's.
package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"tarn/embedded/disk"
	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
)

// Config is a connector's configuration as Kafka Connect has it: flat, strings.
type Config struct {
	Name   string // the connector's name, unique in a Tarn
	Keys   map[string]string
	Folder string // the project folder, where relative paths in Keys start
}

// Path returns a key's path, a relative one from the project folder; "" where there is none.
func (c Config) Path(key string) string {
	path := c.Keys[key]
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.Folder, path)
}

// Get returns a key's value, or the default.
func (c Config) Get(key, fallback string) string {
	if v, ok := c.Keys[key]; ok {
		return v
	}
	return fallback
}

// Field is one configuration key, for the check, the page's form and the docs.
type Field struct {
	Key      string
	Default  string
	Required bool
	Doc      string
}

// Other is a key that a connector knows and does not read, or all keys that begin with Key where that ends in a dot.
type Other struct {
	Key     string
	Instead string // what is done in its place
}

// Means tells whether a key is the one, or one of those, that o is about.
func (o Other) Means(key string) bool {
	return key == o.Key || strings.HasSuffix(o.Key, ".") && strings.HasPrefix(key, o.Key)
}

// Finding is what a check found; a fatal one keeps the source from starting.
type Finding struct {
	Fatal   bool
	Table   string // "" for the whole source
	Key     string // of the configuration, that it is about; "" for none
	Unknown bool   // Key means nothing, or has no effect
	Message string
	Hint    string
	SQL     string // the statement for the source that mends it, as it is to be run there; "" for none
}

// Misset is the error of a key of a configuration.
type Misset struct {
	Key   string
	Fault *fault.Error
}

func (m Misset) Error() string { return m.Fault.Error() }

// Unwrap returns the fault.
func (m Misset) Unwrap() error { return m.Fault }

// NewMisset returns the error of a key whose value a connector cannot take.
func NewMisset(c Config, key, hint, format string, args ...any) error {
	return Misset{key, fault.Newf(fault.Invalid, hint, "connector %s: %s "+format, append([]any{c.Name, key}, args...)...)}
}

// FindingOf is what a check says of an error: fallback is the key that it is about where it names none.
func FindingOf(err error, fatal bool, fallback string) Finding {
	f := Finding{Fatal: fatal, Key: fallback, Message: err.Error(), Hint: fault.HintOf(err)}
	if m, ok := errors.AsType[Misset](err); ok {
		f.Key = m.Key
	}
	return f
}

// Table is one table of a source database.
type Table struct {
	Schema *record.Schema // ID 0 until stored
	Topic  string         // the topic that its changes go to
	Rows   int64          // an estimate; -1 where unknown
}

// Position is where a source stands: opaque JSON, saved after the bus has synced.
type Position []byte

// Read reads a position into what the connector has rendered; none leaves that as it is. Its error is a fault with code Damaged.
func (p Position) Read(into any) error {
	if len(p) == 0 {
		return nil
	}
	if err := json.Unmarshal(p, into); err != nil {
		return fault.Wrap(err, fault.Damaged, "read the source's saved position", "remove the position; the source then makes a new snapshot")
	}
	return nil
}

// Kind is a sort of connector, listed by name in ingest/kinds.go.
type Kind struct {
	Class  string // connector.class
	Name   string // "sqlite": connector name in the envelope and in docs
	Title  string
	Fields []Field
	Others []Other // known, of no effect, and named where they are set
	// Ahead tells that Next may be called while batches that it has returned are on their way to the log, and Ack beside it. It then
	// asks Env.Saved before it does what is to come after them.
	Ahead bool
	// Check looks before starting: missing database, keyless tables, rights.
	Check func(ctx context.Context, c Config) []Finding
	// Alone is a file that no other connector may have, and the key that names it; "" for none. Nil where no key does.
	Alone func(c Config) (key, path string)
	// Discover lists the tables that the configuration captures.
	Discover func(ctx context.Context, c Config) ([]Table, error)
	// Open starts reading at a position; nil means from the beginning, with a snapshot
	// as snapshot.mode says. Env gives what the runner keeps for the source.
	Open func(ctx context.Context, c Config, env Env, at Position) (Source, error)
	// Forget removes what a closed source keeps in its database under the source's id; nil
	// when it keeps nothing.
	Forget func(ctx context.Context, c Config, sourceID string) error
	// Leaves tells what stays in its database when a connector has ended, with the statement that takes it away: a person's to say,
	// for somebody else may use it. Nil where nothing does.
	Leaves func(c Config) []Finding
	// Release takes out of the database of a closed source what keeps its tables from being
	// altered; the source makes it anew, with new snapshots, when it is opened again. Nil where
	// nothing does.
	Release func(ctx context.Context, c Config, sourceID string) error
}

// Called tells whether a connector.class means the kind: its class, or as in Kafka Connect the last word of it, with or without
// "Connector" at its end.
func (k Kind) Called(class string) bool {
	short := k.Class[strings.LastIndex(k.Class, ".")+1:]
	return class != "" && (class == k.Class || class == short || class == strings.TrimSuffix(short, "Connector"))
}

// Spool is a folder for what sources cannot hold in memory, with the file system that it is on.
type Spool struct {
	Dir  string // "" for none
	Disk *disk.FS
}

// Record is what a connector's transforms see of a record: key and value as JSON without schemas.
type Record struct {
	Topic      string
	Key, Value []byte          // nil for none
	Headers    []record.Header // beside Tarn's own
}

// Transform changes the records of a connector before they go to a topic.
type Transform interface {
	// Apply changes a record, and tells whether there still is one.
	Apply(r *Record) bool
	// Renames tells whether all that it does is to give topics other names.
	Renames() bool
}

// Env is what the runner lends a connector.
type Env struct {
	SourceID string
	// Schema stores a schema before its first use and returns its id; equal schemas
	// of one source get the same id.
	Schema func(ctx context.Context, s record.Schema) (int64, error)
	// Saved waits until all that Next has returned is in the log and its position saved. Its error ends the session. Nil where nothing
	// is waited for.
	Saved func() error
	// Place returns the last place of this source in a topic's partition 0, as the
	// log and the tables know it; the zero Pos where there is none. It waits as Saved does.
	Place func(topic string) record.Pos
	Now   func() time.Time
	// Log is for what a configuration asks a source to log; nil for none.
	Log *slog.Logger
	// Generation returns the highest generation that the source ever had in a topic, also
	// when its position is gone; 0 for none. A new one must be above it. Nil knows of none.
	Generation func(ctx context.Context, topic string) (int64, error)
	// Records reads a topic of the log that need not be the source's; see Log.Records. Nil where there is no log.
	Records func(ctx context.Context, topic string, from int64) ([]record.Record, int64, error)
	// Resnapshot names the tables for which a NeedsResnapshot was reported: they get a log
	// of a new incarnation, a new generation and a new snapshot.
	Resnapshot []string
	// Asked names those of Resnapshot that somebody asked for: snapshot.mode has no say in them.
	Asked []string
	// Spool is the source's own, for what does not fit into memory while it is open. What is in it is
	// of no use to the next one that is opened.
	Spool   Spool
	Version string // Tarn's, for the records that a connector renders itself
	// Skip names the tables that are quarantined: they are not read, and nothing of them is
	// kept in the source meanwhile.
	Skip []string
}

// Op is a change's operation, Debezium's letters.
type Op byte

// The operations. Read is a row of a snapshot.
const (
	Create Op = 'c'
	Update Op = 'u'
	Delete Op = 'd'
	Read   Op = 'r'
	// Truncate is of a table and has no row. Its event has no key.
	Truncate Op = 't'
)

// Change is one row's change. A cell whose kind does not fit its column's type is
// right here as it was read: the envelope carries null for it and says in _extra what it was.
type Change struct {
	Op     Op
	Before record.Row // nil for Create and Read, and where the source does not say
	After  record.Row // nil for Delete
	// Place grows within the topic; see record.Pos. All rows of a snapshot chunk have the
	// same. The runner puts '+' (a tombstone) and '-' (the second half of a change of key)
	// behind it, so what a connector puts behind a place sorts after these: '.' or '~'.
	Place string
	Seq   int64 // the number that the envelope's source shows
	// TxID is the transaction, LSN the change's place in the source's log and LastCommit that of the
	// end of the transaction before, as the envelope's source shows them; 0 where there is none.
	TxID, LSN, LastCommit int64
	// Transaction is the event's place in its transaction; nil where that is not told. Where a change makes two events it is the first's.
	Transaction *envelope.Transaction
	TS          time.Time // of the change in the source; zero where unknown
	// BeforeID and AfterID tell rows apart whose keys hold the same null; 0 where keys have none.
	BeforeID, AfterID int64
}

// Plain is a record that is no row's change: its key and its value, as they are to be in the topic.
type Plain struct {
	Key, Value []byte
	Place      string // as a Change's; "" for that of all records of its batch, PlainPlace
}

// Dead is a piece of a source that is no record: it goes to the dead letters, before the records
// of its batch go to the topic.
type Dead struct {
	// Place grows within the batch's topic, apart for the letters of chunks and for others; what the dead letters have already is left
	// out. That of a chunk's letter is the same when the chunk is read again, and cut elsewhere.
	Place string
	Key   []byte // where it was found
	Value []byte
	Why   string
}

// ToleranceKey is Connect's key for what becomes of a piece that is no record: all sends it to the dead letters, none stops
// the source before it.
const (
	ToleranceKey  = "errors.tolerance"
	ToleranceAll  = "all"
	ToleranceNone = "none"
)

// Burial says whose dead letters there are: the topic that they are kept from, and the source with its own log. SourceID is that of
// their places.
type Burial struct{ Topic, SourceID, Source, Incarnation string }

// TopicBatch is what one append to one topic will hold. A snapshot chunk is one
// TopicBatch of at most ChunkBytesMax when rendered, in the log whole or not at all.
type TopicBatch struct {
	Topic       string
	Schema      *record.Schema // stored, with its id
	Incarnation string
	Generation  int64
	Chunk       bool         // a snapshot chunk: exactly one append
	Snapshot    string       // Debezium's source.snapshot: "true", "false"
	First, Last string       // the same of the first and of the last change, where they are other words
	Begin, End  *record.Mark // a mark before or after the changes; Changes may be empty
	Changes     []Change
	// NoTombstones leaves out the record without a value that else follows a delete.
	NoTombstones bool
	// Of a topic without changes, in place of all from Generation on: records that are one append, at
	// one place, or have places of their own. Its schema has no key; its id is 0 where landing finds the types in the values.
	Plain      []Plain
	PlainPlace string
	Dead       []Dead

	apart string // of transformed records: the id under which their places are
}

// plain tells whether a batch's records are no rows' changes.
func (b *TopicBatch) plain() bool { return b.PlainPlace != "" || len(b.Plain) > 0 }

// Batch is whole transactions or one chunk, and the position after it. One without topics
// only moves the position, which is saved before Next is called again. One without a position
// is a piece of a transaction: the position moves with the last piece.
type Batch struct {
	Topics []TopicBatch
	Mark   Position
}

// Source is an open connector. One goroutine calls it at a time, unless Kind.Ahead says that it bears more.
type Source interface {
	// Next blocks for the next batch. Transient trouble (a locked database) is a fault
	// with code Unavailable, after which Next is called again.
	Next(ctx context.Context) (Batch, error)
	// Ack tells that everything up to a position is synced in the log and the
	// position saved: now the source may prune.
	Ack(ctx context.Context, at Position) error
	// Close frees the source; it may be called again.
	Close() error
}

// Finder is an optional face of a Source: what it found while reading, for instance a
// table that was dropped. Findings may be called by any goroutine.
type Finder interface{ Findings() []Finding }

// Lag is how far a source is behind.
type Lag struct {
	Events   int64 // waiting in the source; -1 where unknown
	Millis   int64
	Bytes    int64  // that the source keeps until Tarn has read them; 0 where it keeps none or does not tell
	Snapshot string // "chunk 3 of ~10 of calls", "" when streaming
}

// Lagger is an optional face of a Source; Lag may be called by any goroutine.
type Lagger interface{ Lag() Lag }

// TableState is how one table of a source stands, a line of system.source_tables.
type TableState struct {
	Table  string // as NeedsResnapshot, Env.Resnapshot and Env.Skip name it
	Topic  string
	State  string  // Waiting, Snapshotting, Streaming, Quarantined, NeedsSnapshot, Gone
	Done   float64 // the part of its snapshot that is read, 0 to 1; negative where it cannot be told
	Millis int64   // how far it is behind
	Rows   int64   // changes appended since start; the runner counts them
	Error  string
	Hint   string
}

// Tabler is an optional face of a Source: its tables, in order of name. Tables may be called by
// any goroutine; the slice is the caller's.
type Tabler interface{ Tables() []TableState }

// ChunkBytesMax bounds one rendered append of a source.
const ChunkBytesMax = 1 << 20

// NeedsResnapshot is the error of Open or Next when the source's own log cannot be
// gone on with (another incarnation, a database put back from a backup): the
// runner makes a new snapshot of these tables, with a new generation. One that is to be
// asked for waits, with what it costs to be weighed, until somebody says RESNAPSHOT CONNECTOR.
type NeedsResnapshot struct {
	Tables []string
	Reason string
	Ask    bool
}

func (e *NeedsResnapshot) Error() string {
	return fmt.Sprintf("needs a new snapshot of %s: %s", strings.Join(e.Tables, ", "), e.Reason)
}

// ErrStopped is returned by Next after Close.
var ErrStopped = errors.New("source stopped")

// Status is one line of system.sources.
type Status struct {
	Name     string
	Kind     string
	State    string // "starting", "snapshot", "streaming", "retrying", "needs_resnapshot", "failed", "paused", "stopped"
	Position string
	Lag      Lag
	Rows     int64 // changes appended since start
	Dead     int64 // dead letters of its own since start: what it could make no record of
	Error    string
	Hint     string
	Findings []Finding
	Topics   []string
	Tables   []TableState // by name
	Since    time.Time
}
