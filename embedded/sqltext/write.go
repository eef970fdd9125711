package sqltext

import (
	"slices"
	"strings"

	"tarn/embedded/fault"
)

// Making is CREATE [OR REPLACE] TABLE [IF NOT EXISTS] t (columns) or … t [(names)] AS SELECT …, of a table of the lake, or of a session.
type Making struct {
	Table       Table
	Temporary   bool   // of a session
	OnCommit    string // of a temporary table: "" for PRESERVE ROWS, DELETE ROWS or DROP
	Replace     bool
	IfNotExists bool
	Columns     []MadeColumn // with no type where there is a body, whose columns they name
	Comment     string
	Body        string // the query behind AS, "" for none
	Offset      int    // of Body
	Empty       bool   // WITH NO DATA
	Like        bool   // (LIKE t): Body is t alone
}

// MadeColumn is a declared column. Type is DuckDB's word, as of a StreamColumn.
type MadeColumn struct {
	Name, Type, Comment string
	Said                string // the word for its type, upper case
	Required, Key       bool
	Offset              int
	Length              int    // of varchar(n): characters at most; 0 for any number
	Default             string // a constant in DuckDB's SQL; "" for null
}

// OfStream tells whether a CREATE TABLE says how a topic is read, as Flink's and RisingWave's do, and makes no table of the lake.
func OfStream(statement string) bool {
	tokens, err := Lex(statement)
	if err != nil {
		return false
	}
	depth, with := 0, false
	for i, t := range tokens {
		next := func(word string) bool { return i+1 < len(tokens) && tokens[i+1].Is(word) }
		switch {
		case t.Is("("):
			depth++
		case t.Is(")"):
			if depth--; depth == 0 {
				with = false
			}
		case depth == 0 && t.Is("AS"):
			return false
		case depth == 0 && t.Is("WITH") && next("("):
			with = true
		case with && depth == 1 && (strings.EqualFold(t.Name(), "connector") || strings.EqualFold(t.Value(), "connector")),
			depth == 1 && !with && t.Is("WATERMARK") && next("FOR"), depth == 0 && t.Is("FORMAT"), depth == 0 && t.Is("INCLUDE"):
			return true
		}
	}
	return false
}

// ParseMaking reads a CREATE TABLE. With fold bare names of columns are in lower case, as PostgreSQL and Trino have them.
func ParseMaking(statement string, fold bool) (Making, error) {
	var m Making
	in, err := NewReader(statement)
	if err != nil {
		return m, err
	}
	in.Take("CREATE")
	m.Replace = in.Take("OR", "REPLACE")
	if !in.Take("LOCAL") {
		in.Take("GLOBAL")
	}
	if m.Temporary = in.Take("TEMP") || in.Take("TEMPORARY"); !m.Temporary {
		in.Take("UNLOGGED") // of PostgreSQL, which a commit of the lake is not slower for
	}
	if !in.Take("TABLE") {
		return m, in.Fault("TABLE")
	}
	m.IfNotExists = in.Take("IF", "NOT", "EXISTS")
	if m.Table, err = in.Table(); err != nil {
		return m, err
	}
	if m.Temporary && in.Take("(", "LIKE") {
		return m, in.like(&m)
	}
	if in.Take("(") {
		in.temporary = m.Temporary
		if err := in.made(&m, fold); err != nil {
			return m, err
		}
	}
	if err := in.madeWith(&m); err != nil {
		return m, err
	}
	if !in.Take("AS") {
		if len(m.Columns) == 0 {
			return m, in.Fault("the columns in parentheses, or AS and a query")
		}
		for _, c := range m.Columns {
			if c.Type == "" {
				return m, At(fault.Newf(fault.Syntax, "write its type behind it, such as BIGINT or VARCHAR", "the column %s has no type", c.Name), statement, c.Offset)
			}
		}
		return m, in.Done()
	}
	for _, c := range m.Columns {
		if c.Type != "" || c.Key || c.Required || c.Default != "" {
			return m, At(fault.New(fault.Syntax, "name the columns alone, or make the table first and fill it by INSERT", "the columns of a query have types of their own"), statement, c.Offset)
		}
	}
	m.Offset = in.Offset()
	if err := in.once(m.Table); err != nil {
		return m, err
	}
	m.Body = in.Rest()
	for _, end := range []struct {
		words string
		empty bool
	}{{"WITH NO DATA", true}, {"WITH DATA", false}} {
		if words := strings.Fields(end.words); in.endsWith(words) {
			m.Empty = end.empty
			cut := in.tokens[len(in.tokens)-len(words)].Offset
			m.Body = strings.TrimSpace(statement[m.Offset:cut])
		}
	}
	if m.Body == "" {
		return m, in.Fault("a query")
	}
	return m, nil
}

// like reads the table whose columns another has, and what of it beside them, which is NOT NULL alone whatever is said.
func (r *Reader) like(m *Making) error {
	m.Like, m.Empty, m.Offset = true, true, r.Offset()
	if _, err := r.Table(); err != nil {
		return err
	}
	last := r.tokens[r.at-1]
	m.Body = r.text[m.Offset : last.Offset+len(last.Text)]
	for r.Take("INCLUDING") || r.Take("EXCLUDING") {
		r.Next()
	}
	if !r.Take(")") {
		return r.Fault(")")
	}
	if err := r.madeWith(m); err != nil {
		return err
	}
	return r.Done()
}

// once refuses a query that ends as one which runs for ever: ksqlDB makes a table of it, which is kept up to date.
func (r *Reader) once(t Table) error {
	for _, end := range []struct{ emit, hint string }{
		{"EMIT CHANGES", ", which is kept up to date and tells every change; so is the table of INSERT INTO name SELECT …"},
		{"EMIT FINAL", " EMIT ON WINDOW CLOSE"},
		{"EMIT ON WINDOW CLOSE", " EMIT ON WINDOW CLOSE"},
	} {
		if words := strings.Fields(end.emit); r.endsWith(words) {
			return At(fault.Newf(fault.Invalid, "write CREATE MATERIALIZED VIEW "+t.String()+" AS SELECT …"+end.hint, "CREATE TABLE … AS fills a table once, and does not end with %s", end.emit),
				r.text, r.tokens[len(r.tokens)-len(words)].Offset)
		}
	}
	return nil
}

func (r *Reader) endsWith(words []string) bool {
	at := len(r.tokens) - len(words)
	if at <= r.at {
		return false
	}
	for i, w := range words {
		if !r.tokens[at+i].Is(w) {
			return false
		}
	}
	return true
}

// made reads columns and keys up to the closing parenthesis.
func (r *Reader) made(m *Making, fold bool) error {
	for {
		switch {
		case r.Take("CONSTRAINT"):
			if _, err := r.Name(); err != nil {
				return err
			}
			continue
		case r.Take("PRIMARY", "KEY"):
			keys, err := r.parenthesised()
			if err != nil {
				return err
			}
			r.Take("NOT", "ENFORCED")
			for _, k := range keys {
				i := slices.IndexFunc(m.Columns, func(c MadeColumn) bool { return strings.EqualFold(c.Name, k.Name()) })
				if i < 0 {
					return At(fault.Newf(fault.Invalid, "name a column that is declared before it", "the key's column %s is not there", k.Name()), r.text, k.Offset)
				}
				m.Columns[i].Key, m.Columns[i].Required = true, true
			}
		case r.Peek().Is("UNIQUE"), r.Peek().Is("CHECK"), r.Peek().Is("FOREIGN"), r.Peek().Is("EXCLUDE"), r.Peek().Is("LIKE"):
			return r.unchecked()
		default:
			if err := r.madeColumn(m, fold); err != nil {
				return err
			}
		}
		if r.Take(")") {
			return nil
		}
		if !r.Take(",") {
			return r.Fault("a comma or )")
		}
	}
}

func (r *Reader) unchecked() error {
	word := strings.ToUpper(r.Peek().Text)
	hint := "leave it out: of rows NOT NULL, the types and the length of varchar(n) are checked, and nothing else"
	switch word {
	case "UNIQUE":
		hint = "leave it out, or make it the PRIMARY KEY and write rows by INSERT … ON CONFLICT, which looks for their keys"
	case "CHECK":
		hint = "leave it out, and hold the rows against it where they are written: INSERT INTO t SELECT … WHERE condition"
	case "REFERENCES", "FOREIGN":
		hint = "leave it out, and find rows without their other one by an ANTI JOIN: no table is looked up when another is written"
	}
	return r.wrong(hint, "a table of the lake cannot have %s", word)
}

// hintless are the words behind a column's type that promise what the lake does not keep.
var hintless = []string{"UNIQUE", "CHECK", "REFERENCES", "GENERATED", "COLLATE", "AUTO_INCREMENT", "IDENTITY"}

func (r *Reader) madeColumn(m *Making, fold bool) error {
	t := r.Peek()
	if t.Kind != Word && t.Kind != Quoted {
		return r.Fault("a column's name")
	}
	c := MadeColumn{Name: t.Name(), Offset: t.Offset}
	if fold && t.Kind == Word {
		c.Name = strings.ToLower(c.Name)
	}
	if slices.ContainsFunc(m.Columns, func(o MadeColumn) bool { return strings.EqualFold(o.Name, c.Name) }) {
		return r.wrong("give each column a name of its own", "the column %s is there twice", t.Name())
	}
	if len(m.Columns) >= columnsMax {
		return r.wrong("make two tables", "the table has more than %d columns", columnsMax)
	}
	r.Next()
	if !r.Peek().Is(",") && !r.Peek().Is(")") {
		var err error
		c.Said = strings.ToUpper(r.Peek().Name())
		if c.Type, err = r.dataType(); err != nil {
			return err
		}
		c.Length = r.length
	}
	for {
		switch next := r.Peek(); {
		case next.Is("UNSIGNED"):
			return r.wrong("leave it out; what does not fit a BIGINT fits a DECIMAL(20, 0)", "a column cannot be UNSIGNED")
		case r.Take("NOT", "NULL"):
			c.Required = true
		case r.Take("NULL"):
		case r.Take("PRIMARY", "KEY"):
			r.Take("NOT", "ENFORCED")
			c.Key, c.Required = true, true
		case r.Take("COMMENT"):
			if r.Peek().Kind != String {
				return r.Fault("a text")
			}
			c.Comment = r.Next().Value()
		case r.Take("DEFAULT"):
			var err error
			if c.Default, err = r.constant(c.Type); err != nil {
				return err
			}
			if c.Default != "" && m.Temporary {
				return At(fault.New(fault.Invalid, "a column of a temporary table cannot have a DEFAULT", "give each row its value"), r.text, next.Offset)
			}
		case slices.ContainsFunc(hintless, next.Is):
			return r.unchecked()
		default:
			m.Columns = append(m.Columns, c)
			return nil
		}
	}
}

// madeWith reads COMMENT 'text', and WITH (…), whose options are of other engines' files and are passed over.
func (r *Reader) madeWith(m *Making) error {
	for {
		switch {
		case r.Take("COMMENT"):
			if r.Peek().Kind != String {
				return r.Fault("a text")
			}
			m.Comment = r.Next().Value()
		case m.Temporary && r.Take("ON", "COMMIT"):
			switch {
			case r.Take("PRESERVE", "ROWS"):
			case r.Take("DELETE", "ROWS"):
				m.OnCommit = "DELETE ROWS"
			case r.Take("DROP"):
				m.OnCommit = "DROP"
			default:
				return r.Fault("PRESERVE ROWS, DELETE ROWS or DROP")
			}
		case r.Take("WITH"):
			if !r.Take("(") {
				return r.Fault("options in parentheses")
			}
			for depth := 1; depth > 0; {
				t := r.Next()
				switch {
				case t.Kind == End:
					return r.Fault(")")
				case t.Is("("):
					depth++
				case t.Is(")"):
					depth--
				case depth == 1 && (strings.EqualFold(t.Name(), "partitioning") || strings.EqualFold(t.Name(), "partitioned_by")):
					return At(fault.New(fault.Invalid, "tables of the lake are not partitioned", "leave it out"), r.text, t.Offset)
				}
			}
		default:
			return nil
		}
	}
}
