package sqltext

import (
	"slices"
	"strings"
	"time"

	"tarn/embedded/fault"
)

// Stream is CREATE SOURCE name (…) WITH (…), or Flink's CREATE TABLE name (…) WITH
// ('connector' = 'kafka', …): how a topic is read.
type Stream struct {
	Name        Table
	IfNotExists bool
	Columns     []StreamColumn
	Key         []string   // PRIMARY KEY, as the columns are declared
	Watermark   *Watermark // nil for none
	// Options are by name in lower case. What other engines call otherwise stands under
	// Tarn's name, and in its words: see streamOptions. FORMAT … ENCODE … is "format".
	Options map[string]Option
}

// StreamColumn is a declared column. Type is DuckDB's word: BOOLEAN, INTEGER, BIGINT, FLOAT,
// DOUBLE, DECIMAL(p,s), DATE, TIME, TIMESTAMP, TIMESTAMPTZ, VARCHAR, BLOB or UUID.
type StreamColumn struct {
	Name, Type string
	Offset     int
}

// Watermark is WATERMARK FOR column AS column [- INTERVAL …].
type Watermark struct {
	Column string
	Delay  time.Duration
	Offset int
}

// columnsMax bounds a declaration.
const columnsMax = 1000

// ParseStream reads a declaration of a stream, in Tarn's, Flink's or RisingWave's words.
func ParseStream(statement string) (Stream, error) {
	var s Stream
	in, err := NewReader(statement)
	if err != nil {
		return s, err
	}
	table := false
	switch {
	case in.Take("CREATE", "SOURCE"):
	case in.Take("CREATE", "TABLE"):
		table = true
	default:
		return s, in.Fault("CREATE SOURCE")
	}
	s.IfNotExists = in.Take("IF", "NOT", "EXISTS")
	if s.Name, err = in.Table(); err != nil {
		return s, err
	}
	if in.Peek().Is("AS") {
		return s, in.wrong(hintView, "a table cannot be made of a query once and for all")
	}
	if err := in.declaration(&s); err != nil {
		return s, err
	}
	options := optionReader{Reader: in, what: "a source", known: streamOptions, ignored: ignoredFamilies, out: map[string]Option{}}
	for more := true; more; {
		switch {
		case in.Take("WITH"):
			err = options.read()
		case in.Take("FORMAT"):
			err = options.format()
		default:
			more = false
		}
		if err != nil {
			return s, err
		}
	}
	if err := in.Done(); err != nil {
		return s, err
	}
	s.Options = options.out
	return s, in.complete(&s, table)
}

// complete refuses a declaration that lacks what it needs.
func (r *Reader) complete(s *Stream, table bool) error {
	_, connector := s.Options["connector"]
	_, topic := s.Options["topic"]
	switch {
	case table && !connector:
		return r.wrong("write WITH ('connector' = 'kafka', 'topic' = '…'), or CREATE SOURCE", "a table of a stream has no connector")
	case !topic:
		return r.wrong("write WITH (topic = '…')", "the source has no topic")
	}
	return nil
}

// declaration reads (columns, keys, watermark).
func (r *Reader) declaration(s *Stream) error {
	if !r.Take("(") {
		return r.Fault("the columns in parentheses")
	}
	d := &declared{Reader: r, stream: s, named: map[string]string{}}
	for {
		if err := d.element(); err != nil {
			return err
		}
		if r.Take(")") {
			break
		}
		if !r.Take(",") {
			return r.Fault("a comma or )")
		}
	}
	return d.check()
}

// declared is what was declared so far.
type declared struct {
	*Reader
	stream *Stream
	named  map[string]string // columns by name in lower case, as declared
	keys   []Token
}

func (d *declared) element() error {
	switch {
	case d.Peek().Is("*"):
		return d.wrong("declare the columns that the pipelines read", "a source cannot have all columns without their names")
	case d.Take("WATERMARK", "FOR"):
		return d.watermark()
	case d.Take("CONSTRAINT"):
		if _, err := d.Name(); err != nil {
			return err
		}
		if !d.Peek().Is("PRIMARY") {
			return d.Fault("PRIMARY KEY")
		}
		return d.primary()
	case d.Peek().Is("PRIMARY"):
		return d.primary()
	case d.Peek().Is("INCLUDE"):
		return d.wrong("declare columns of the value", "the key, partition and time of a record cannot be a column")
	}
	return d.column()
}

// primary reads PRIMARY KEY (columns) [NOT ENFORCED].
func (d *declared) primary() error {
	if len(d.keys) > 0 {
		return d.wrong("name all of its columns in one", "there is a second primary key")
	}
	if !d.Take("PRIMARY", "KEY") {
		return d.Fault("PRIMARY KEY")
	}
	var err error
	if d.keys, err = d.parenthesised(); err != nil {
		return err
	}
	d.Take("NOT", "ENFORCED")
	return nil
}

// parenthesised reads names in parentheses.
func (r *Reader) parenthesised() ([]Token, error) {
	if !r.Take("(") {
		return nil, r.Fault("columns in parentheses")
	}
	var out []Token
	for {
		t := r.Peek()
		switch {
		case t.Kind != Word && t.Kind != Quoted:
			return nil, r.Fault("a name")
		case slices.ContainsFunc(out, func(o Token) bool { return strings.EqualFold(o.Name(), t.Name()) }):
			return nil, r.wrong("name it once", "%s is there twice", t.Name())
		}
		out = append(out, r.Next())
		if r.Take(")") {
			return out, nil
		}
		if !r.Take(",") {
			return nil, r.Fault("a comma or )")
		}
	}
}

func texts(tokens []Token) []string {
	var out []string
	for _, t := range tokens {
		out = append(out, t.Name())
	}
	return out
}

// column reads name type [NOT NULL] [PRIMARY KEY [NOT ENFORCED]] [COMMENT '…'].
func (d *declared) column() error {
	t := d.Peek()
	if t.Kind != Word && t.Kind != Quoted {
		return d.Fault("a column's name")
	}
	if _, twice := d.named[strings.ToLower(t.Name())]; twice {
		return d.wrong("give each column a name of its own", "the column %s is there twice", t.Name())
	}
	if len(d.stream.Columns) >= columnsMax {
		return d.wrong("declare only what the pipelines read", "the source has more than %d columns", columnsMax)
	}
	d.Next()
	switch {
	case d.Peek().Is("AS"):
		return d.wrong("leave it out, and compute it in the SELECT of the pipeline", "the column %s cannot be computed here", t.Name())
	case d.Peek().Is("METADATA"):
		return d.wrongMetadata()
	}
	kind, err := d.dataType()
	if err != nil {
		return err
	}
	d.named[strings.ToLower(t.Name())] = t.Name()
	d.stream.Columns = append(d.stream.Columns, StreamColumn{t.Name(), kind, t.Offset})
	for {
		switch {
		case d.Peek().Is("UNSIGNED"):
			return d.wrong("leave it out; what does not fit a BIGINT fits a DECIMAL(20, 0)", "a column cannot be UNSIGNED")
		case d.Take("NOT", "NULL"), d.Take("NULL"):
		case d.Take("COMMENT"):
			if d.Next().Kind != String {
				return d.Fault("a text")
			}
		case d.Peek().Is("METADATA"):
			return d.wrongMetadata()
		case d.Peek().Is("PRIMARY") && len(d.keys) > 0:
			return d.wrong("write PRIMARY KEY (columns) behind the last column", "there is a second primary key")
		case d.Take("PRIMARY", "KEY"):
			d.keys = []Token{t}
			d.Take("NOT", "ENFORCED")
		case d.Peek().Is(","), d.Peek().Is(")"):
			return nil
		default:
			return d.Fault("a comma or )")
		}
	}
}

func (d *declared) wrongMetadata() error {
	return d.wrong("leave it out, and compute it in the SELECT of the pipeline from the columns of the value", "METADATA columns cannot be used")
}

const watermarkHint = "write WATERMARK FOR ts AS ts - INTERVAL '5' SECOND"

// watermark reads column AS column [- INTERVAL …].
func (d *declared) watermark() error {
	if d.stream.Watermark != nil {
		return d.wrong("leave one out", "there is a second watermark")
	}
	t := d.Next()
	if t.Kind != Word && t.Kind != Quoted {
		return At(fault.New(fault.Syntax, "the watermark names no column", watermarkHint), d.text, t.Offset)
	}
	w := &Watermark{Column: t.Name(), Offset: t.Offset}
	if !d.Take("AS") {
		return d.wrong(watermarkHint, "the watermark has no AS")
	}
	if again := d.Peek(); (again.Kind != Word && again.Kind != Quoted) || !strings.EqualFold(again.Name(), w.Column) {
		return d.wrong(watermarkHint, "a watermark is a column less an interval, and nothing else")
	}
	d.Next()
	if d.Take("-") {
		at := d.Offset()
		delay, ok := d.interval()
		if !ok || delay < 0 || delay > windowMax {
			return At(fault.New(fault.Invalid, "the delay of a watermark is no interval of a fixed length, of a year at most", watermarkHint), d.text, at)
		}
		w.Delay = delay
	}
	if !d.Peek().Is(",") && !d.Peek().Is(")") {
		return d.wrong(watermarkHint, "a watermark is a column less an interval, and nothing else")
	}
	d.stream.Watermark = w
	return nil
}

// interval reads INTERVAL '5' SECOND, INTERVAL 5 SECOND or INTERVAL '5 seconds'.
func (r *Reader) interval() (time.Duration, bool) {
	if !r.Take("INTERVAL") {
		return 0, false
	}
	t := r.Next()
	if t.Kind != String && t.Kind != Number {
		return 0, false
	}
	text := t.Value()
	if unit := r.Peek(); unit.Kind == Word {
		if strings.ContainsAny(strings.TrimSpace(text), " :") {
			return 0, false
		}
		text += " " + r.Next().Text
		if r.Take("(") { // the digits that Flink lets one write
			if r.Next().Kind != Number || !r.Take(")") {
				return 0, false
			}
		}
	}
	return ParseInterval(text)
}

// check holds what was declared together: keys and watermark are of columns.
func (d *declared) check() error {
	s := d.stream
	if len(s.Columns) == 0 {
		return d.wrong("declare the columns that the pipelines read", "the source has no column")
	}
	for _, key := range d.keys {
		name, ok := d.named[strings.ToLower(key.Name())]
		if !ok {
			return d.unknownColumn(key.Name(), key.Offset)
		}
		s.Key = append(s.Key, name)
	}
	if s.Watermark == nil {
		return nil
	}
	name, ok := d.named[strings.ToLower(s.Watermark.Column)]
	if !ok {
		return d.unknownColumn(s.Watermark.Column, s.Watermark.Offset)
	}
	s.Watermark.Column = name
	i := slices.IndexFunc(s.Columns, func(c StreamColumn) bool { return c.Name == name })
	if kind := s.Columns[i].Type; kind != "TIMESTAMP" && kind != "TIMESTAMPTZ" {
		return At(fault.Newf(fault.Invalid, "declare it TIMESTAMP or TIMESTAMPTZ", "the watermark's column %s is a %s", name, kind), d.text, s.Watermark.Offset)
	}
	return nil
}

func (d *declared) unknownColumn(name string, offset int) error {
	var names []string
	for _, c := range d.stream.Columns {
		names = append(names, c.Name)
	}
	hint := "declare it"
	if near := Nearest(name, names); near != "" {
		hint = "did you mean " + near + "?"
	}
	return At(fault.Newf(fault.Invalid, hint, "the source has no column %s", name), d.text, offset)
}
