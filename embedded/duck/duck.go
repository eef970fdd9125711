//go:build duckdb_arrow

// Package duck opens DuckDB: instances with a share of the memory budget, and the
// one adapter by which Arrow goes in and comes out. Nobody else imports duckdb-go. It
// knows no table and no principal.
package duck

import (
	"context"
	dbsql "database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	duckdb "github.com/duckdb/duckdb-go/v2"
)

// Options of an instance.
type Options struct {
	Path        string // "" = in memory
	MemoryBytes int64  // memory_limit of the whole instance
	Threads     int
	TempDir     string // where it may spill; "" = nowhere
	// Sandbox shuts the file system but for Folders and Files (readable and, as DuckDB has
	// it, writable), extensions, and all settings that could open it again. The statements it
	// runs must have passed sqltext's walk: the sandbox is only the outer wall.
	Sandbox bool
	Folders []string
	Files   []string
}

// Instance is one DuckDB with its own memory limit. Safe for concurrent use.
type Instance struct {
	db        *dbsql.DB
	connector *duckdb.Connector
	loads     atomic.Int64 // numbers the views of Load, which all connections share
}

// idleMax is how many connections of an instance wait for who asks next: one is set up in a quarter of the time of a small query.
const idleMax = 8

// Open starts an instance.
func Open(ctx context.Context, o Options) (*Instance, error) {
	connector, err := duckdb.NewConnector(o.Path, o.connected())
	if err != nil {
		return nil, fmt.Errorf("start DuckDB: %w", err)
	}
	in := &Instance{db: dbsql.OpenDB(connector), connector: connector}
	in.db.SetMaxIdleConns(idleMax)
	for _, set := range settings(o) {
		if _, err := in.db.ExecContext(ctx, set); err != nil {
			return nil, errors.Join(fmt.Errorf("set up DuckDB (%s): %w", set, err), in.Close())
		}
	}
	return in, nil
}

// connected sets up a connection of a sandbox, whose queries tell how far they are: DuckDB has that for a bar, which it prints
// unless it is told not to.
func (o Options) connected() func(driver.ExecerContext) error {
	if !o.Sandbox {
		return nil
	}
	return func(c driver.ExecerContext) error {
		_, err := c.ExecContext(context.Background(), "SET enable_progress_bar_print=false; SET enable_progress_bar=true", nil)
		return err
	}
}

// settings lists an instance's statements in the one order that works: the folders
// before external access goes, the lock last (research: 112 attack statements). What DuckDB
// keeps per connection is set GLOBAL, or only the first connection would have it.
func settings(o Options) []string {
	set := []string{
		"SET GLOBAL TimeZone='UTC'",
		"SET autoinstall_known_extensions=false",
		"SET autoload_known_extensions=false",
		"SET allow_community_extensions=false",
		"SET allow_persistent_secrets=false",
		"SET GLOBAL parquet_metadata_cache=true",
		"SET GLOBAL integer_division=true",
	}
	if o.MemoryBytes > 0 {
		set = append(set, fmt.Sprintf("SET memory_limit='%dB'", o.MemoryBytes),
			// What it frees goes back to the system soon: by default an instance may keep more than it was ever given.
			"SET allocator_background_threads=true",
			fmt.Sprintf("SET allocator_flush_threshold='%dB'", o.MemoryBytes/16),
			fmt.Sprintf("SET allocator_bulk_deallocation_flush_threshold='%dB'", o.MemoryBytes/16))
	}
	if o.Threads > 0 {
		set = append(set, fmt.Sprintf("SET threads=%d", o.Threads))
	}
	if o.Path == "" {
		// What DuckDB puts together behind a commit takes memory, and where there is none the instance is of no more use.
		set = append(set, "SET max_vacuum_tasks=0")
	}
	set = append(set, "SET temp_directory="+Quote(o.TempDir))
	if o.Sandbox {
		// The files of a lake never change under their name.
		set = append(set, "SET GLOBAL validate_external_file_cache='NO_VALIDATION'",
			// Planning takes the cube of an expression's depth: 20 s at DuckDB's own 1000, deaf to a cancel.
			"SET GLOBAL max_expression_depth=500")
		set = append(set,
			"SET allowed_directories="+quotedList(o.Folders),
			"SET allowed_paths="+quotedList(o.Files),
			"SET enable_external_access=false",
			"SET allowed_configs=['enable_progress_bar', 'enable_progress_bar_print', 'TimeZone']", // of connections to come, and Zone
			"SET lock_configuration=true")
	}
	return set
}

func quotedList(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = Quote(t)
	}
	return "[" + strings.Join(quoted, ",") + "]"
}

// Close ends the instance.
func (in *Instance) Close() error { return in.db.Close() }

// Conn is one connection of an instance: its variables and temporary tables are
// its own. One goroutine uses it at a time.
type Conn struct {
	*dbsql.Conn
	instance *Instance
	always   map[string]*dbsql.Stmt // of Always, by text
	remade   bool                   // since the last BEGIN something was made anew
	stale    bool                   // what Always has was planned before that
	feeds    map[string]*feed       // of Fill, by table
	zoned    bool                   // it has another time zone than UTC
}

// Conn opens a connection; close it.
func (in *Instance) Conn(ctx context.Context) (*Conn, error) {
	c, err := in.db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to DuckDB: %w", err)
	}
	return &Conn{Conn: c, instance: in}, nil
}

// InUse is how many connections are open and not closed yet by who opened them.
func (in *Instance) InUse() int { return in.db.Stats().InUse }

// Close ends the connection.
func (c *Conn) Close() error {
	return errors.Join(c.forget(), c.unfeed(), c.unzone(), c.Conn.Close())
}

// Zone sets the time zone of the connection, by its name in the IANA's database, until Close: what has no zone is taken for a time
// there. Without it the zone is UTC.
func (c *Conn) Zone(ctx context.Context, name string) error {
	c.zoned = true
	if err := c.Exec(ctx, "SET TimeZone="+Quote(name)); err != nil {
		return fmt.Errorf("set the time zone %s: %w", name, err)
	}
	return nil
}

// Discard is Close of a connection on which something may have stayed: nobody has it again.
func (c *Conn) Discard() {
	_ = errors.Join(c.forget(), c.unfeed())
	c.spoil()
	_ = c.Conn.Close()
}

// spoil has the connection end in place of going back to the others.
func (c *Conn) spoil() { _ = c.Raw(func(any) error { return driver.ErrBadConn }) }

// unzone sets the zone back for who has the connection next. One that keeps another zone is thrown away.
func (c *Conn) unzone() error {
	if !c.zoned {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), unzoneMax)
	defer cancel()
	if err := c.Exec(ctx, "SET TimeZone='UTC'"); err != nil {
		c.spoil()
		return fmt.Errorf("set the time zone back: %w", err)
	}
	return nil
}

const unzoneMax = 10 * time.Second

// Exec runs a statement without rows.
func (c *Conn) Exec(ctx context.Context, stmt string, args ...any) error {
	_, err := c.ExecContext(ctx, stmt, args...)
	c.remade = c.remade || strings.HasPrefix(stmt, "CREATE ")
	return err
}

// Always is Exec for a text that is run again and again: it is planned once, and anew where what
// it names was made anew by Exec. Not for CREATE … AS, which DuckDB can run but once. Each text is kept until Close.
func (c *Conn) Always(ctx context.Context, stmt string, args ...any) (rows int64, err error) {
	if stmt == "BEGIN" {
		if err := c.settle(); err != nil {
			return 0, err
		}
	}
	s := c.always[stmt]
	if s == nil {
		if s, err = c.PrepareContext(ctx, stmt); err != nil {
			return 0, err
		}
		if c.always == nil {
			c.always = map[string]*dbsql.Stmt{}
		}
		c.always[stmt] = s
	}
	result, err := s.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// settle forgets the plans of statements that DuckDB had to plan anew: from then on it would do so each time that one is run.
// While something is made anew in each transaction it would have to anyway.
func (c *Conn) settle() error {
	if c.remade {
		c.remade, c.stale = false, true
		return nil
	}
	if !c.stale {
		return nil
	}
	c.stale = false
	return c.forget()
}

func (c *Conn) forget() error {
	var errs []error
	for _, s := range c.always {
		errs = append(errs, s.Close())
	}
	c.always = nil
	return errors.Join(errs...)
}

// Arrow runs a query and returns its rows as Arrow batches. The reader is valid until it is
// released or the connection is closed; ctx ends the query.
func (c *Conn) Arrow(ctx context.Context, query string, args ...any) (array.RecordReader, error) {
	var reader array.RecordReader
	err := c.raw(func(a *duckdb.Arrow) (err error) {
		reader, err = a.QueryContext(ctx, query, args...)
		return err
	})
	return reader, err
}

// Texts returns the first column of a query's answer, whose values are texts that are not null.
func (c *Conn) Texts(ctx context.Context, query string) (out []string, err error) {
	rows, err := c.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	return out, rows.Err()
}

// Load makes a temporary table of batches, which all have the given schema. It is the only way
// for Arrow into DuckDB: a registered Arrow view gives wrong columns unless a query reads
// all of them in order, and can be read once (duckdb-go issue 24), so Load reads it whole, in order,
// into a table at once. An existing temporary table of the name is replaced.
func (c *Conn) Load(ctx context.Context, table string, schema *arrow.Schema, batches []arrow.RecordBatch) error {
	reader, err := array.NewRecordReader(schema, batches)
	if err != nil {
		return fmt.Errorf("load %s: %w", table, err)
	}
	defer reader.Release()
	view := fmt.Sprintf("tarn_arrow_%d", c.instance.loads.Add(1))
	var release func()
	err = c.raw(func(a *duckdb.Arrow) (err error) {
		release, err = a.RegisterView(reader, view)
		return err
	})
	if err != nil {
		return fmt.Errorf("load %s: %w", table, err)
	}
	defer release()
	err = c.Exec(ctx, "CREATE OR REPLACE TEMP TABLE "+Ident(table)+" AS SELECT * FROM "+Ident(view))
	// The view is the instance's, not the connection's, and would outlive its batches.
	if drop := c.Exec(context.WithoutCancel(ctx), "DROP VIEW IF EXISTS "+Ident(view)); err == nil {
		err = drop
	}
	if err != nil {
		return fmt.Errorf("load %s: %w", table, err)
	}
	return nil
}

// SetList binds a list of texts to a variable of the connection, where statements read it by
// getvariable. Names are bare identifiers. Free it with Unset.
func (c *Conn) SetList(ctx context.Context, variable string, values []string) error {
	if err := c.Exec(ctx, "SET VARIABLE "+Ident(variable)+" = ?::VARCHAR[]", values); err != nil {
		return fmt.Errorf("bind a list: %w", err)
	}
	return nil
}

// Set binds the value of a SQL expression, which is the caller's own text, to a variable.
func (c *Conn) Set(ctx context.Context, variable, expression string) error {
	if err := c.Exec(ctx, "SET VARIABLE "+Ident(variable)+" = "+expression); err != nil {
		return fmt.Errorf("bind a value: %w", err)
	}
	return nil
}

// Unset frees variables.
func (c *Conn) Unset(ctx context.Context, variables ...string) error {
	var all strings.Builder
	for _, v := range variables {
		all.WriteString("RESET VARIABLE " + Ident(v) + ";")
	}
	if all.Len() == 0 {
		return nil
	}
	return c.Exec(ctx, all.String())
}

// NoSpill is in DuckDB's message where the disk has no room for what does not fit the memory.
const NoSpill = "failed to offload"

// Scarce tells whether a statement failed for want of memory, or of disk to spill to: that says nothing
// of what it read.
func Scarce(err error) bool {
	e, ok := errors.AsType[*duckdb.Error](err)
	return ok && e.Type == duckdb.ErrorTypeOutOfMemory
}

// OutOfMemory tells whether a statement failed for it needed more memory than its instance may have. That it
// had no room on the disk to spill to is something else, though DuckDB has one class for both.
func OutOfMemory(err error) bool {
	return Scarce(err) && !strings.Contains(err.Error(), NoSpill)
}

// pieceMax is a piece of memory that a statement may find when others have ended.
const pieceMax = 64 << 20

var (
	refusedPiece = regexp.MustCompile(`Failed to (?:re-)?allocate (?:block of )?(\d+) bytes`)
	refusedNew   = "Allocation failure"
	longArrays   = "maximum total string size for regular string buffers"
)

// Huge tells whether a statement failed for a single value, or the rows of one batch, of a size that no other statement's end makes
// room for: Limit refused it, or Arrow has no array of it.
func Huge(err error) bool {
	e, ok := errors.AsType[*duckdb.Error](err)
	if !ok {
		return false
	}
	if m := refusedPiece.FindStringSubmatch(e.Msg); m != nil {
		bytes, err := strconv.ParseInt(m[1], 10, 64)
		return err != nil || bytes > pieceMax
	}
	return strings.Contains(e.Msg, refusedNew) || strings.Contains(e.Msg, longArrays)
}

// NoWrite is the system's error of a disk that took no write of a statement, or nothing to spill to: ENOSPC, EDQUOT or EROFS, of
// which DuckDB keeps the words alone. nil for any other error.
func NoWrite(err error) error {
	e, ok := errors.AsType[*duckdb.Error](err)
	if !ok {
		return nil
	}
	for _, one := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS} {
		if strings.Contains(strings.ToLower(e.Msg), one.Error()) {
			return one
		}
	}
	if Scarce(err) && !OutOfMemory(err) {
		return syscall.ENOSPC
	}
	return nil
}

// Refused tells whether a statement failed for a value that it met: one that cannot be cast, or is out of range.
func Refused(err error) bool {
	e, ok := errors.AsType[*duckdb.Error](err)
	if !ok {
		return false
	}
	switch e.Type {
	case duckdb.ErrorTypeConversion, duckdb.ErrorTypeOutOfRange, duckdb.ErrorTypeInvalidInput, duckdb.ErrorTypeMismatchType, duckdb.ErrorTypeDivideByZero, duckdb.ErrorTypeDecimal:
		return true
	}
	return false
}

// Unreadable tells whether an error says that a database file is damaged, or of a version that cannot be
// read; what the disk, its room or the memory refuse says nothing of the file.
func Unreadable(err error) bool {
	e, ok := errors.AsType[*duckdb.Error](err)
	if !ok {
		return false
	}
	switch e.Type {
	case duckdb.ErrorTypeSerialization, duckdb.ErrorTypeInternal, duckdb.ErrorTypeCatalog, duckdb.ErrorTypeInvalid:
		return true
	case duckdb.ErrorTypeIO, duckdb.ErrorTypeFatal:
		text := strings.ToLower(e.Msg)
		return !slices.ContainsFunc(elsewhere, func(word string) bool { return strings.Contains(text, word) })
	}
	return false
}

// elsewhere are words of errors that say nothing of what a file holds.
var elsewhere = []string{"no space", "quota", "read-only", "permission", "write", "lock on file", "too many open", "cannot open file", "interrupt", "allocat"}

func (c *Conn) raw(do func(*duckdb.Arrow) error) error {
	return c.Raw(func(dc any) error {
		conn, ok := dc.(driver.Conn)
		if !ok {
			return errors.New("not a DuckDB connection")
		}
		a, err := duckdb.NewArrowFromConn(conn)
		if err != nil {
			return err
		}
		return do(a)
	})
}

// NoPartitions is for read_parquet without a schema: DuckDB takes no columns from names of folders then, such as id=7.
const NoPartitions = ", hive_partitioning=false"

// Quote renders a string literal.
func Quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// Ident renders a quoted identifier.
func Ident(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// Idents renders quoted identifiers.
func Idents(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = Ident(n)
	}
	return out
}

// List renders quoted identifiers between commas.
func List(names []string) string { return strings.Join(Idents(names), ", ") }
