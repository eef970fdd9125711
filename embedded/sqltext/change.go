package sqltext

import (
	"slices"
	"strings"

	"tarn/embedded/fault"
)

// Change is DELETE, UPDATE, MERGE or TRUNCATE of a table, taken apart. Its texts are as they were written.
type Change struct {
	Verb   string // DELETE, UPDATE, MERGE or TRUNCATE
	Table  Table
	Alias  string // as it was written; "" for the table's name
	From   string // of DELETE … USING, UPDATE … FROM and MERGE … USING: the other tables
	On     string // of MERGE
	Where  string // "" for all rows
	Source string // what the columns of MERGE's From are qualified with; "" where they are of several
	Arms   []Arm  // of UPDATE and DELETE one; of MERGE those in order

	Returning string // what is asked for of the rows; "" for nothing
}

// Arm is what is done with a row.
type Arm struct {
	Matched bool   // it is of a row of the table, and not of one that is missing
	And     string // a condition of MERGE's; "" for none
	Do      string // UPDATE, DELETE, INSERT, or NOTHING; TWICE where that row is given another time
	Columns []Token
	Values  []string // of Columns; DEFAULT is NULL there. Of an INSERT without columns those of all
	Default []int    // the places in Values of those that were DEFAULT
}

// ParseChange reads one.
func ParseChange(statement string) (Change, error) {
	var c Change
	in, err := NewReader(statement)
	if err != nil {
		return c, err
	}
	switch {
	case in.Take("DELETE", "FROM"):
		c.Verb = "DELETE"
		err = in.deletion(&c)
	case in.Take("UPDATE"):
		c.Verb = "UPDATE"
		err = in.update(&c)
	case in.Take("MERGE", "INTO"):
		c.Verb = "MERGE"
		err = in.merge(&c)
	case in.Take("TRUNCATE"):
		c.Verb = "TRUNCATE"
		in.Take("TABLE")
		if c.Table, err = in.Table(); err == nil {
			in.Take("RESTRICT")
			c.Arms = []Arm{{Matched: true, Do: "DELETE"}}
		}
	default:
		return c, in.Fault("DELETE FROM, UPDATE, MERGE INTO or TRUNCATE")
	}
	if err == nil && c.Verb != "TRUNCATE" {
		c.Returning, err = in.returning(c.Table, c.Alias)
	}
	if err == nil {
		err = in.Done()
	}
	if c.Alias == "" {
		c.unqualify()
	}
	return c, err
}

// unqualify lets conditions and values call the table by its name alone where they do so by schema and catalog, as in gold.t.id.
func (c *Change) unqualify() {
	c.On, c.Where = unqualified(c.On, c.Table), unqualified(c.Where, c.Table)
	for i := range c.Arms {
		a := &c.Arms[i]
		a.And = unqualified(a.And, c.Table)
		for n := range a.Values {
			a.Values[n] = unqualified(a.Values[n], c.Table)
		}
	}
}

func unqualified(text string, t Table) string {
	tokens, err := Lex(text)
	if err != nil || t.Schema == "" {
		return text
	}
	called := [][]string{{t.Schema, t.Name}}
	if t.Catalog != "" {
		called = append(called, []string{t.Catalog, t.Schema, t.Name})
	}
	var out strings.Builder
	from := 0
	for i := range tokens {
		for _, names := range called {
			if last := i + 2*(len(names)-1); (i == 0 || !tokens[i-1].Is(".")) && qualifies(names, tokens[i:]) {
				out.WriteString(text[from:tokens[i].Offset])
				from = tokens[last].Offset
			}
		}
	}
	return out.String() + text[from:]
}

// qualifies tells whether tokens begin with names, each with a dot behind it.
func qualifies(names []string, tokens []Token) bool {
	if len(tokens) <= 2*len(names) {
		return false
	}
	for i, name := range names {
		if !strings.EqualFold(tokens[2*i].Name(), name) || !tokens[2*i+1].Is(".") {
			return false
		}
	}
	return true
}

// changed reads the table and its alias.
func (r *Reader) changed(c *Change, before ...string) (err error) {
	r.Take("ONLY")
	if c.Table, err = r.Table(); err != nil {
		return err
	}
	t := r.Peek()
	if r.Take("AS") {
		t = r.Peek()
	} else if t.Kind == Word {
		if slices.ContainsFunc(before, t.Is) {
			return nil
		}
	}
	if t.Kind == Word || t.Kind == Quoted {
		c.Alias = r.Next().Text
	}
	return nil
}

// until is the text up to one of some words outside of parentheses and CASE, or up to the end. It may be a comma.
func (r *Reader) until(words ...string) string {
	begin, depth, cases := r.Peek(), 0, 0
	end := begin.Offset
	for t := r.Peek(); t.Kind != End; t = r.Peek() {
		if depth == 0 && cases == 0 && slices.ContainsFunc(words, t.Is) {
			return strings.TrimSpace(r.text[begin.Offset:end])
		}
		switch {
		case t.Is("("), t.Is("["), t.Is("{"):
			depth++
		case t.Is(")"), t.Is("]"), t.Is("}"):
			depth--
		case t.Is("CASE"):
			cases++
		case t.Is("END") && cases > 0:
			cases--
		}
		if depth < 0 {
			return strings.TrimSpace(r.text[begin.Offset:end])
		}
		r.Next()
		end = t.Offset + len(t.Text)
	}
	return strings.TrimSpace(r.text[begin.Offset:end])
}

func (r *Reader) deletion(c *Change) error {
	if err := r.changed(c, "WHERE", "USING", "RETURNING"); err != nil {
		return err
	}
	if r.Take("USING") {
		if c.From = r.until("WHERE", "RETURNING"); c.From == "" {
			return r.Fault("a table")
		}
	}
	c.Arms = []Arm{{Matched: true, Do: "DELETE"}}
	return r.where(c)
}

func (r *Reader) where(c *Change) error {
	if r.Take("WHERE") {
		if r.Peek().Is("CURRENT") {
			return r.wrong("write a condition", "WHERE CURRENT OF cannot be used here")
		}
		if c.Where = r.until("RETURNING"); c.Where == "" {
			return r.Fault("a condition")
		}
	}
	return nil
}

func (r *Reader) update(c *Change) error {
	if err := r.changed(c, "SET"); err != nil {
		return err
	}
	arm, err := r.sets("FROM", "WHERE", "RETURNING")
	if err != nil {
		return err
	}
	c.Arms = []Arm{arm}
	if r.Take("FROM") {
		if c.From = r.until("WHERE", "RETURNING"); c.From == "" {
			return r.Fault("a table")
		}
	}
	return r.where(c)
}

// sets reads SET a = x, (b, c) = (y, z), up to one of some words.
func (r *Reader) sets(end ...string) (Arm, error) {
	arm := Arm{Matched: true, Do: "UPDATE"}
	if !r.Take("SET") {
		return arm, r.Fault("SET")
	}
	for {
		if r.Peek().Is("(") {
			return arm, r.wrong("write SET a = x, b = y", "several columns cannot be set at once")
		}
		var parts []Token
		for {
			t := r.Peek()
			if t.Kind != Word && t.Kind != Quoted {
				return arm, r.Fault("a column")
			}
			parts = append(parts, r.Next())
			if !r.Take(".") {
				break
			}
		}
		if !r.Take("=") {
			return arm, r.Fault("= and a value")
		}
		value := r.until(append([]string{","}, end...)...)
		if value == "" {
			return arm, r.Fault("a value")
		}
		if strings.EqualFold(value, "DEFAULT") {
			arm.Default, value = append(arm.Default, len(arm.Values)), "NULL"
		}
		arm.Columns = append(arm.Columns, parts[len(parts)-1])
		arm.Values = append(arm.Values, value)
		if !r.Take(",") {
			return arm, nil
		}
	}
}

func (r *Reader) merge(c *Change) error {
	if err := r.changed(c, "USING"); err != nil {
		return err
	}
	if !r.Take("USING") {
		return r.Fault("USING and a table")
	}
	if c.From = r.until("ON"); c.From == "" {
		return r.Fault("a table")
	}
	if !r.Take("ON") {
		return r.Fault("ON and a condition")
	}
	if c.On = r.until("WHEN"); c.On == "" {
		return r.Fault("a condition")
	}
	c.Source = calledBy(c.From)
	for r.Take("WHEN") {
		arm, err := r.arm()
		if err != nil {
			return err
		}
		c.Arms = append(c.Arms, arm)
	}
	if len(c.Arms) == 0 {
		return r.Fault("WHEN MATCHED THEN or WHEN NOT MATCHED THEN")
	}
	return nil
}

func (r *Reader) arm() (arm Arm, err error) {
	arm.Matched = !r.Take("NOT")
	if !r.Take("MATCHED") {
		return arm, r.Fault("MATCHED or NOT MATCHED")
	}
	if r.Peek().Is("BY") && !r.Take("BY", "TARGET") {
		return arm, r.wrong("delete those rows by a DELETE", "WHEN NOT MATCHED BY SOURCE cannot be used here")
	}
	if r.Take("AND") {
		if arm.And = r.until("THEN"); arm.And == "" {
			return arm, r.Fault("a condition")
		}
	}
	if !r.Take("THEN") {
		return arm, r.Fault("THEN")
	}
	switch {
	case r.Take("DO", "NOTHING"):
		arm.Do = "NOTHING"
	case arm.Matched && r.Take("DELETE"):
		arm.Do = "DELETE"
	case arm.Matched && r.Take("UPDATE"):
		set, err := r.sets("WHEN", "RETURNING")
		arm.Do, arm.Columns, arm.Values, arm.Default = "UPDATE", set.Columns, set.Values, set.Default
		return arm, err
	case !arm.Matched && r.Take("INSERT"):
		arm.Do = "INSERT"
		if r.Peek().Is("(") {
			if arm.Columns, err = r.qualified(); err != nil {
				return arm, err
			}
		}
		if !r.Take("VALUES") || !r.Take("(") {
			return arm, r.Fault("VALUES (…)")
		}
		for {
			value := r.until(",")
			if value == "" {
				return arm, r.Fault("a value")
			}
			if strings.EqualFold(value, "DEFAULT") {
				arm.Default, value = append(arm.Default, len(arm.Values)), "NULL"
			}
			arm.Values = append(arm.Values, value)
			if r.Take(")") {
				break
			}
			if !r.Take(",") {
				return arm, r.Fault("a comma or )")
			}
		}
		if len(arm.Columns) > 0 && len(arm.Columns) != len(arm.Values) {
			return arm, At(fault.Newf(fault.Invalid, "give each column a value", "there are %d values for %d columns", len(arm.Values), len(arm.Columns)), r.text, arm.Columns[0].Offset)
		}
	default:
		return arm, r.Fault("UPDATE SET, DELETE or DO NOTHING for rows that match, INSERT or DO NOTHING for others")
	}
	return arm, nil
}

// qualified reads names in parentheses, of which those before the last dot are passed over.
func (r *Reader) qualified() (out []Token, _ error) {
	if !r.Take("(") {
		return nil, r.Fault("columns in parentheses")
	}
	for {
		t := r.Next()
		if t.Kind != Word && t.Kind != Quoted {
			return nil, r.Fault("a column")
		}
		if r.Take(".") {
			continue
		}
		out = append(out, t)
		if r.Take(")") {
			return out, nil
		}
		if !r.Take(",") {
			return nil, r.Fault("a comma or )")
		}
	}
}

// calledBy is what the columns of a table are qualified with: its alias, or its name; "" where the text is another.
func calledBy(from string) string {
	in, err := NewReader(from)
	if err != nil {
		return ""
	}
	name := ""
	if t := in.Peek(); t.Kind == Word || t.Kind == Quoted {
		if _, err := in.Name(); err != nil {
			return ""
		}
		name = in.tokens[in.at-1].Text
	}
	if in.Take("(") {
		in.until()
		name = ""
		in.Take(")")
	}
	in.Take("AS")
	if t := in.Peek(); t.Kind == Word || t.Kind == Quoted {
		name = in.Next().Text
	}
	if in.Take("(") {
		in.until()
		in.Take(")")
	}
	if in.Done() != nil {
		return ""
	}
	return name
}

// Sourced qualifies bare names of a text with the source of a MERGE, of columns that the table has too: where no row of the table is, they can
// be of the source alone. A text with a query in it stays as it is: names in there may be of others.
func Sourced(text, source string, ofTable func(name string) bool) string {
	tokens, err := Lex(text)
	if err != nil || source == "" || slices.ContainsFunc(tokens, func(t Token) bool { return t.Is("SELECT") || t.Is("FROM") }) {
		return text
	}
	var out strings.Builder
	from := 0
	for i, t := range tokens {
		at := func(n int, symbol string) bool { return i+n >= 0 && i+n < len(tokens) && tokens[i+n].Is(symbol) }
		name := t.Kind == Quoted || t.Kind == Word
		typ, key := at(-1, ":") && at(-2, ":") || at(-1, "AS"), at(1, ":") && !at(2, ":") // x::t, {t: x}
		qualified := typ || key || at(-1, ".") || at(1, ".") || at(1, "(") || i+1 < len(tokens) && tokens[i+1].Kind == String
		if name && !qualified && ofTable(t.Name()) {
			out.WriteString(text[from:t.Offset] + source + ".")
			from = t.Offset
		}
	}
	return out.String() + text[from:]
}
