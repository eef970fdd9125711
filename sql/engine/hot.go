//go:build duckdb_arrow

package engine

import (
	"container/list"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tarn/embedded/duck"
	"tarn/embedded/life"
	"tarn/embedded/record"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// The bounds of hot files.
const (
	hotFrom      = 128 << 20       // bytes of the Gate's memory that are for statements alone
	hotShare     = 8               // of the rest they have 1/n
	hotAfter     = 32              // statements ask for few rows of a file before it is one
	hotAgain     = 1024            // and so many more where memory was short when it was to become one
	hotScanMax   = 8               // of one statement
	hotKnownMax  = 4096            // files of which is known how often they are asked for
	hotIdle      = 5 * time.Minute // nobody asks for it, and it is forgotten
	hotGroupRows = 120 << 10       // of DuckDB's tables: each column of a group has blocks of its own
	hotTextBytes = 4               // of a text's place, besides itself
	hotTable     = "tarn_hot_"     // begins the names of their tables
)

// hotFiles keeps the data files decoded of which statements ask for few rows again and again: each is a table of the quick instance, which
// finds a row in a sixth of the time that the file takes. A file never changes under its name, so neither does its table; only who may name
// it does, and that is decided for each statement. One goroutine loads and drops them.
type hotFiles struct {
	instance *duck.Instance
	bytesMax int64
	clock    life.Clock
	log      *slog.Logger
	loads    chan *hotFile
	stop     context.CancelFunc
	stopped  chan struct{}

	mu    sync.Mutex
	bytes int64                    // of those that are loaded, about and at most
	order *list.List               // of *hotFile, the last asked for first
	by    map[string]*list.Element // by key
}

// hotFile is one that is asked for, with its columns as one schema has them.
type hotFile struct {
	file    catalog.File
	columns []table.Column
	key     string

	// Of hotFiles' mu.
	asked   int
	last    time.Time
	readers int
	name    string // of its table; "" while it is not loaded
	bytes   int64
	loading bool
	unfit   bool // it is too large
}

// hotBytes is what they may take of the Gate's memory: nothing where that is small, for then the largest statements want all of it.
func hotBytes(memory int64) int64 { return max(0, memory-hotFrom) / hotShare }

func newHotFiles(ctx context.Context, in *duck.Instance, bytesMax int64, clock life.Clock, log *slog.Logger) *hotFiles {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	h := &hotFiles{
		instance: in, bytesMax: bytesMax, clock: clock, log: log, loads: make(chan *hotFile, 1), stop: stop, stopped: make(chan struct{}),
		order: list.New(), by: map[string]*list.Element{},
	}
	go h.run(ctx)
	return h
}

// close waits until nothing is loaded.
func (h *hotFiles) close() {
	h.stop()
	<-h.stopped
}

// take counts a statement that asks for few rows of some files. It answers those that are hot, which nobody drops until they are given
// back, and the others.
func (h *hotFiles) take(files []catalog.File, columns []table.Column) (hot []*hotFile, others []catalog.File) {
	schema := schemaKey(columns)
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.clock.Now()
	for _, f := range files {
		one := h.known(f, columns, f.Path+"\x00"+schema)
		one.asked, one.last = one.asked+1, now
		if one.name != "" {
			one.readers++
			hot = append(hot, one)
			continue
		}
		others = append(others, f)
		if one.asked >= hotAfter && !one.unfit {
			select {
			case h.loads <- one:
			default: // another is being loaded
			}
		}
	}
	return hot, others
}

// known finds what is known of a file, which is now the last asked for. The caller holds mu.
func (h *hotFiles) known(f catalog.File, columns []table.Column, key string) *hotFile {
	if e := h.by[key]; e != nil {
		h.order.MoveToFront(e)
		return e.Value.(*hotFile)
	}
	for e := h.order.Back(); e != nil && len(h.by) >= hotKnownMax; e = e.Prev() {
		if one := e.Value.(*hotFile); one.name == "" && !one.loading {
			delete(h.by, one.key)
			h.order.Remove(e)
			break
		}
	}
	one := &hotFile{file: f, columns: columns, key: key}
	h.by[key] = h.order.PushFront(one)
	return one
}

func schemaKey(columns []table.Column) string {
	var b strings.Builder
	for _, c := range columns {
		b.WriteString(strconv.Itoa(c.ID) + " " + string(c.Type) + " " + c.Name + "\x00")
	}
	return b.String()
}

// give gives back what take answered.
func (h *hotFiles) give(files []*hotFile) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, one := range files {
		one.readers--
	}
}

// held is how many files are loaded, and their bytes.
func (h *hotFiles) held() (files, bytes int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for e := h.order.Front(); e != nil; e = e.Next() {
		if e.Value.(*hotFile).name != "" {
			files++
		}
	}
	return files, h.bytes
}

func (h *hotFiles) run(ctx context.Context) {
	defer close(h.stopped)
	idle := time.NewTicker(hotIdle / 2)
	defer idle.Stop()
	for n := 1; ; n++ {
		var err error
		select {
		case <-ctx.Done():
			return
		case one := <-h.loads:
			err = errors.Join(h.forgetIdle(ctx), h.load(ctx, one, hotTable+strconv.Itoa(n)))
		case <-idle.C:
			err = h.forgetIdle(ctx)
		}
		if err != nil && ctx.Err() == nil {
			h.log.Debug("a data file is not kept in memory", "error", err) // who reads it is told what ails it
		}
	}
}

// load makes a file's table of a name.
func (h *hotFiles) load(ctx context.Context, one *hotFile, name string) error {
	if !h.begin(one) {
		return nil
	}
	bytes, err := h.fill(ctx, one, name)
	h.mu.Lock()
	defer h.mu.Unlock()
	one.asked, one.loading = 0, false
	switch {
	case bytes > h.bytesMax:
		one.unfit = true
	case lacksMemory(err): // of the statements beside
		one.asked = -hotAgain
	case err == nil:
		one.name, one.bytes = name, bytes
		h.bytes += bytes
	}
	return err
}

// fill makes the table if it fits.
func (h *hotFiles) fill(ctx context.Context, one *hotFile, name string) (bytes int64, _ error) {
	conn, err := h.instance.Conn(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	if bytes, err = one.size(ctx, conn, h.bytesMax); err != nil || bytes > h.bytesMax {
		return bytes, err
	}
	room, err := h.room(ctx, bytes)
	if err == nil && !room {
		err = errors.New("all that are in memory are being read")
	}
	if err != nil {
		return bytes, err
	}
	return bytes, conn.Exec(ctx, "CREATE TABLE memory.main."+name+" AS "+one.text())
}

// begin tells whether a file is to be loaded still.
func (h *hotFiles) begin(one *hotFile) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.by[one.key]
	one.loading = e != nil && e.Value == one && one.name == "" && !one.unfit
	return one.loading
}

// text reads the file's rows in their order.
func (f *hotFile) text() string {
	types, _ := wordsOf(f.columns)
	names, items, _ := fileColumns(f.columns)
	return "SELECT " + strings.Join(items, ", ") + " FROM read_parquet(" + duck.Quote(f.file.Path) + ", schema=" + schemaMap(f.columns, names, types) + ") f"
}

// size is what the file takes as a table, at most. It reads the file's texts, unless without them it is above most already.
func (f *hotFile) size(ctx context.Context, conn *duck.Conn, most int64) (int64, error) {
	var width int64
	lengths := []string{"0"}
	for _, c := range f.columns {
		fixed, length := widthOf(c)
		if width += fixed; length != "" {
			lengths = append(lengths, "coalesce(sum("+length+"), 0)")
		}
		if strings.HasPrefix(string(c.Type), "list<") {
			return most + 1, nil
		}
	}
	whole := func(rows, texts int64) int64 {
		bytes := rows*width + texts
		if rows <= duck.BlockRows {
			return 2*bytes + duck.BlockBytes
		}
		// The last block of each column is not full, and there is one of which values are null.
		return bytes + (rows/hotGroupRows+1)*int64(len(f.columns))*2*duck.BlockBytes
	}
	if least := max(f.file.Bytes, whole(f.file.Rows, 0)); least > most {
		return least, nil
	}
	var rows, texts int64
	err := conn.QueryRowContext(ctx, "SELECT count(*), ("+strings.Join(lengths, " + ")+")::BIGINT FROM ("+f.text()+")").Scan(&rows, &texts)
	return whole(rows, texts), err
}

// widthOf is what a value of a column takes, in bytes, and for one that has a length of its own the expression of it.
func widthOf(c table.Column) (fixed int64, length string) {
	switch c.Type {
	case record.Boolean:
		return 1, ""
	case record.Int, record.Float, record.Date:
		return 4, ""
	case record.Long, record.Double, record.Time, record.Timestamp, record.TimestampTZ:
		return 8, ""
	case record.String:
		return hotTextBytes, "strlen(" + ident(c.Name) + ")"
	}
	if t, _ := duck.TypeOf(c.Type); t == "BLOB" {
		return hotTextBytes, "octet_length(" + ident(c.Name) + ")"
	}
	return 16, "" // the widest: a decimal, or a UUID
}

// room makes room for bytes: those go that were not asked for the longest. False where the others are being read.
func (h *hotFiles) room(ctx context.Context, bytes int64) (bool, error) {
	var drop []*hotFile
	h.mu.Lock()
	free := h.bytesMax - h.bytes
	for e := h.order.Back(); e != nil && free < bytes; e = e.Prev() {
		if one := e.Value.(*hotFile); one.name != "" && one.readers == 0 {
			drop, free = append(drop, one), free+one.bytes
		}
	}
	if free < bytes {
		drop = nil
	}
	dropped := h.forget(drop)
	h.mu.Unlock()
	return free >= bytes, h.drop(ctx, dropped)
}

// forgetIdle drops those that nobody asks for any more: their table may be gone, or made of other files.
func (h *hotFiles) forgetIdle(ctx context.Context) error {
	var idle []*hotFile
	h.mu.Lock()
	for e := h.order.Back(); e != nil; e = e.Prev() {
		one := e.Value.(*hotFile)
		if h.clock.Now().Sub(one.last) < hotIdle {
			break
		}
		if one.readers == 0 {
			idle = append(idle, one)
		}
	}
	dropped := h.forget(idle)
	h.mu.Unlock()
	return h.drop(ctx, dropped)
}

// forget answers the tables of files that are no longer known. The caller holds mu.
func (h *hotFiles) forget(files []*hotFile) (tables []string) {
	for _, one := range files {
		h.order.Remove(h.by[one.key])
		delete(h.by, one.key)
		if one.name != "" {
			tables = append(tables, one.name)
			h.bytes -= one.bytes
		}
	}
	return tables
}

func (h *hotFiles) drop(ctx context.Context, tables []string) error {
	if len(tables) == 0 {
		return nil
	}
	conn, err := h.instance.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	var errs []error
	for _, t := range tables {
		errs = append(errs, conn.Exec(ctx, "DROP TABLE memory.main."+t))
	}
	return errors.Join(errs...)
}

// takeHot parts files of a scan into those that are hot, if the statement may read such, and the others.
func (s *session) takeHot(scan *catalog.Scan, files []catalog.File) (hot []*hotFile, others []catalog.File) {
	if len(files) == 0 || len(files) > hotScanMax || !s.warm || !s.fewRows() {
		return nil, files
	}
	hot, others = s.gate.hot.take(files, scan.Columns)
	s.hot = append(s.hot, hot...)
	return hot, others
}

// takeHotDirty is takeHot of files with rows that are gone, which go by their places: no column may be called as these are.
func (s *session) takeHotDirty(scan *catalog.Scan, files []catalog.File) (hot []*hotFile, others []catalog.File) {
	if len(files) == 0 || slices.ContainsFunc(scan.Columns, func(c table.Column) bool {
		lower := strings.ToLower(c.Name)
		return lower == "rowid" || strings.HasPrefix(lower, hotTable)
	}) {
		return nil, files
	}
	return s.takeHot(scan, files)
}

// hotText reads hot files, in parts. Rows lie in their tables in the order of the file, so a row's number there is its position.
func (s *session) hotText(ctx context.Context, scan *catalog.Scan, clean, dirty []*hotFile) (parts []string, call string, err error) {
	if len(clean)+len(dirty) == 0 {
		return nil, "", nil
	}
	names := make([]string, len(scan.Columns))
	for i, c := range scan.Columns {
		names[i] = "f." + ident(c.Name)
	}
	list := strings.Join(names, ", ")
	for _, f := range clean {
		call = "memory.main." + f.name
		parts = append(parts, "SELECT "+list+" FROM "+call+" f")
	}
	if len(dirty) == 0 {
		return parts, call, nil
	}
	deletes, err := s.bind(ctx, scan.Deletes)
	of := make([]string, len(dirty))
	for i, f := range dirty {
		of[i] = "SELECT *, " + duck.Quote(f.file.Path) + " AS " + hotTable + "path, rowid AS " + hotTable + "pos FROM memory.main." + f.name
	}
	parts = append(parts, "SELECT "+list+" FROM ("+strings.Join(of, " UNION ALL ")+") f ANTI JOIN ("+placesGone(scan, deletes)+") d ON f."+hotTable+"path = d.path AND f."+hotTable+"pos = d.pos")
	return parts, call, err
}

// cold rewrites a statement once more, that is not to read hot files.
func (s *session) cold(ctx context.Context) (string, error) {
	s.warm, s.names, s.rows = false, 0, 0
	clear(s.relations)
	out, err := s.rewrite(ctx, s.source, 0)
	return out.Text, err
}
