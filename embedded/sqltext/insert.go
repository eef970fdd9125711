package sqltext

import (
	"strings"

	"tarn/embedded/fault"
)

// Insert is INSERT INTO t [AS x] [(columns)] followed by a query, ON CONFLICT and RETURNING.
type Insert struct {
	Table     Table
	Alias     string       // as it was written; "" for the table's name
	Columns   []Token      // empty for all
	Text      string       // the statement up to the query's end; DEFAULT as a value of VALUES is NULL, which is as long
	Body      string       // the query in it
	Offset    int          // of Body
	Values    bool         // the query is VALUES
	Defaults  bool         // it was DEFAULT VALUES: Body has one NULL
	Default   map[int]bool // the values, from 0, that are DEFAULT in some of the rows: whether in all
	Emits     bool         // it ends with EMIT …, as what runs for ever does
	Conflict  *Conflict
	Returning string // "" for nothing
}

// Conflict is ON CONFLICT [(keys)] DO NOTHING or DO UPDATE SET … [WHERE …].
type Conflict struct {
	Keys       []Token
	Constraint string // by its name, in place of Keys
	Offset     int
	Set        *Arm   // nil for DO NOTHING
	Where      string // of DO UPDATE; "" for all rows
}

// ParseInsert reads an INSERT.
func ParseInsert(statement string) (Insert, error) {
	var x Insert
	in, err := NewReader(statement)
	if err != nil {
		return x, err
	}
	if !in.Take("INSERT", "INTO") {
		return x, in.Fault("INSERT INTO")
	}
	if x.Table, err = in.Table(); err != nil {
		return x, err
	}
	if in.Take("AS") {
		if _, err := in.Name(); err != nil {
			return x, err
		}
		x.Alias = in.tokens[in.at-1].Text
	}
	if next := in.at + 1; in.Peek().Is("(") && next < len(in.tokens) && !begins(in.tokens[next]) {
		if x.Columns, err = in.parenthesised(); err != nil {
			return x, err
		}
	}
	x.Values, x.Offset = in.Peek().Is("VALUES"), in.Offset()
	if in.Peek().Is("DEFAULT") {
		in.Next()
		if !in.Take("VALUES") || len(x.Columns) > 0 {
			return x, in.wrong("write INSERT INTO t DEFAULT VALUES, or VALUES (DEFAULT, …)", "DEFAULT stands for no query")
		}
		x.Values, x.Defaults = true, true
	}
	from := in.at
	end := in.queryEnd(&x)
	if end == x.Offset {
		return x, in.Fault("VALUES or a query")
	}
	x.Text = statement[:end]
	switch {
	case x.Defaults:
		x.Text = statement[:x.Offset] + "VALUES (NULL)"
	case x.Values:
		x.Text, x.Default = undefaulted(x.Text, in.tokens[from:in.at])
	}
	x.Body = x.Text[x.Offset:]
	if in.Take("ON", "CONFLICT") {
		if x.Conflict, err = in.conflict(x); err != nil {
			return x, err
		}
	}
	if x.Returning, err = in.returning(x.Table, x.Alias); err != nil {
		return x, err
	}
	return x, in.Done()
}

// queryEnd passes the query of an INSERT and tells where it ends.
func (r *Reader) queryEnd(x *Insert) int {
	end, depth := r.Offset(), 0
	if x.Defaults {
		return end
	}
	for ; r.Peek().Kind != End; r.at++ {
		t := r.Peek()
		next := func(word string) bool { return r.at+1 < len(r.tokens) && r.tokens[r.at+1].Is(word) }
		switch {
		case t.Is("("):
			depth++
		case t.Is(")"):
			depth--
		case depth > 0:
		case t.Is("ON") && next("CONFLICT"), t.Is("RETURNING"):
			return end
		case t.Is("EMIT"):
			x.Emits = true
		}
		end = t.Offset + len(t.Text)
	}
	return end
}

// undefaulted is a text in which each value DEFAULT of the rows is NULL, and which values those are: true for what is so in all rows.
func undefaulted(text string, tokens []Token) (string, map[int]bool) {
	depth, rows, value, found := 0, 0, 0, map[int]int{}
	for i, t := range tokens {
		switch {
		case t.Is("("), t.Is("["):
			if depth++; depth == 1 {
				rows, value = rows+1, 0
			}
		case t.Is(")"), t.Is("]"):
			depth--
		case depth == 1 && t.Is(","):
			value++
		case depth == 1 && t.Is("DEFAULT") && i+1 < len(tokens) && (tokens[i-1].Is("(") || tokens[i-1].Is(",")) && (tokens[i+1].Is(")") || tokens[i+1].Is(",")):
			text = text[:t.Offset] + "NULL   " + text[t.Offset+len(t.Text):]
			found[value]++
		}
	}
	all := map[int]bool{}
	for value, n := range found {
		all[value] = n == rows
	}
	return text, all
}

// conflict reads what stands behind ON CONFLICT.
func (r *Reader) conflict(x Insert) (_ *Conflict, err error) {
	c := &Conflict{Offset: r.Offset()}
	switch {
	case r.Peek().Is("("):
		if c.Keys, err = r.parenthesised(); err != nil {
			return nil, err
		}
		if r.Peek().Is("WHERE") {
			return nil, r.wrong("leave it out: the key is of all rows", "ON CONFLICT (…) WHERE cannot be used here")
		}
	case r.Take("ON", "CONSTRAINT"):
		name, err := r.Name()
		if err != nil {
			return nil, err
		}
		c.Constraint = name[len(name)-1]
	}
	switch {
	case r.Take("DO", "NOTHING"):
		return c, nil
	case !r.Take("DO", "UPDATE"):
		return nil, r.Fault("DO NOTHING or DO UPDATE SET")
	case len(c.Keys) == 0 && c.Constraint == "":
		return nil, At(fault.New(fault.Syntax, "ON CONFLICT DO UPDATE requires inference specification or constraint name", "name the columns of the key: ON CONFLICT (id) DO UPDATE"), r.text, c.Offset)
	}
	set, err := r.sets("WHERE", "RETURNING")
	if err != nil {
		return nil, err
	}
	if r.Take("WHERE") {
		if c.Where = r.until("RETURNING"); c.Where == "" {
			return nil, r.Fault("a condition")
		}
	}
	if x.Alias == "" {
		c.Where = unqualified(c.Where, x.Table)
		for i := range set.Values {
			set.Values[i] = unqualified(set.Values[i], x.Table)
		}
	}
	c.Set = &set
	return c, nil
}

// returning reads RETURNING and what it asks for; "" for nothing.
func (r *Reader) returning(t Table, alias string) (string, error) {
	if !r.Take("RETURNING") {
		return "", nil
	}
	text := r.Rest()
	if r.at = len(r.tokens); text == "" {
		return "", r.Fault("* or columns")
	}
	if alias == "" {
		text = unqualified(text, t)
	}
	return text, nil
}

// Members writes what of says for each name.column of a text.
func Members(text, name string, of func(column Token) (string, error)) (string, error) {
	tokens, err := Lex(text)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	from := 0
	for i := 0; i+2 < len(tokens); i++ {
		t := tokens[i]
		if column := tokens[i+2]; (t.Kind == Word || t.Kind == Quoted) && strings.EqualFold(t.Name(), name) && tokens[i+1].Is(".") && (i == 0 || !tokens[i-1].Is(".")) && (column.Kind == Word || column.Kind == Quoted) {
			said, err := of(column)
			if err != nil {
				return "", err
			}
			out.WriteString(text[from:t.Offset] + said)
			from = column.Offset + len(column.Text)
			i += 2
		}
	}
	return out.String() + text[from:], nil
}

// Lone are the parameters of an INSERT's rows that are a value by themselves, and the column, from 0, that each is of.
func (x Insert) Lone() map[int]int {
	tokens, err := Lex(x.Body)
	if err != nil || len(tokens) == 0 {
		return nil
	}
	out := map[int]int{}
	depth, column, begin := 0, 0, 0
	inner := 1
	if !x.Values {
		if !tokens[0].Is("SELECT") {
			return nil
		}
		inner, begin = 0, 1
	}
	end := func(i int) {
		if i-begin == 2 && tokens[begin].Is("$") && tokens[begin+1].Kind == Number && tokens[begin+1].Offset == tokens[begin].Offset+1 {
			if n := whole10(tokens[begin+1].Text); n > 0 {
				if _, known := out[n]; !known {
					out[n] = column
				}
			}
		}
		begin = i + 1
	}
	for i, t := range tokens {
		switch {
		case t.Is("("), t.Is("["):
			if depth++; x.Values && depth == 1 {
				column, begin = 0, i+1
			}
		case t.Is(")"), t.Is("]"):
			if x.Values && depth == 1 {
				end(i)
			}
			depth--
		case depth == inner && t.Is(","):
			end(i)
			column++
		case !x.Values && depth == 0 && t.Is("FROM"):
			end(i)
			return out
		}
	}
	if !x.Values {
		end(len(tokens))
	}
	return out
}

// Row tells whether the rows of an INSERT are one, whose values are parameters, each once, and the column, from 0, of each parameter in order.
func (x Insert) Row() (columns []int, ok bool) {
	tokens, err := Lex(x.Body)
	of := x.Lone()
	if n := len(tokens); err != nil || !x.Values || x.Conflict != nil || x.Returning != "" || len(of) == 0 || n-2 != 3*len(of) {
		return nil, false // VALUES ( $ 1 , $ 2 )
	}
	columns = make([]int, len(of))
	for n, column := range of {
		if n > len(of) || column >= len(of) {
			return nil, false
		}
		columns[n-1] = column
	}
	return columns, true
}

func whole10(text string) (n int) {
	for _, r := range text {
		if r < '0' || r > '9' || n > ParametersMax {
			return 0
		}
		n = n*10 + int(r-'0')
	}
	return n
}
