package sqltext

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarn/embedded/fault"
)

// The bounds of a window table function.
const (
	windowMin     = time.Millisecond
	windowMax     = 366 * 24 * time.Hour
	windowsPerRow = 10_000 // of HOP
	// windowMicros bounds the times that are in a window, so that no end overflows: the year 280,000.
	windowMicros = 8_772_000_000_000_000_000
)

// windowForms are what to write instead of what is no window table function.
var windowForms = map[string]string{
	"TUMBLE": "write TUMBLE(table, column, INTERVAL '10' SECOND)",
	"HOP":    "write HOP(table, column, INTERVAL '2' SECOND, INTERVAL '10' SECOND): the slide, then the size",
}

// WindowSQL is the query that a window table function stands for; source is a parenthesised
// query or a quoted name. It answers the columns of source, then window_start and
// window_end, of the type of its time. Windows are aligned to the epoch plus Shift. Rows
// whose time is null or infinite are in none.
func WindowSQL(w Window, source string) string {
	size, slide := w.Size.Microseconds(), w.Slide.Microseconds()
	if w.Kind == "TUMBLE" {
		slide = size
	}
	shift := ((w.Shift.Microseconds() % slide) + slide) % slide
	column := quoted(w.Column) // without "s", so that DuckDB says well what it does not find
	micros := "epoch_us(" + column + ")"
	// behind is how long before the time the last window began that may hold it.
	behind := fmt.Sprintf("(%s %% %d + %d) %% %d", micros, slide, 2*slide-shift, slide)
	table, within := source+` AS "s"`, fmt.Sprintf("%s BETWEEN -%d AND %d", micros, windowMicros, windowMicros)
	if n := (size + slide - 1) / slide; n > 1 {
		table += fmt.Sprintf(`, (SELECT unnest(range(%d)) AS "window_k") AS "k"`, n)
		behind = fmt.Sprintf(`%s + "k"."window_k" * %d`, behind, slide)
	}
	if size%slide != 0 { // the earliest of the windows, or the only one, may have ended before
		within += fmt.Sprintf(" AND %s < %d", behind, size)
	}
	var start, end string
	switch make := windowMakers[w.Type]; make {
	case "":
		start = fmt.Sprintf("%s - to_microseconds(%s)", column, behind)
		end = fmt.Sprintf("%s + to_microseconds(%d - (%s))", column, size, behind)
	default: // many times cheaper than an interval, with a zone above all
		start = fmt.Sprintf("%s(%s - (%s))", make, micros, behind)
		end = fmt.Sprintf("%s(%s - (%s) + %d)", make, micros, behind, size)
	}
	return fmt.Sprintf(`SELECT "s".*, %s AS "window_start", %s AS "window_end" FROM %s WHERE %s`, start, end, table, within)
}

// windowMakers make a time of microseconds.
var windowMakers = map[string]string{"TIMESTAMP": "make_timestamp", "TIMESTAMPTZ": "make_timestamptz", "TIMESTAMP WITH TIME ZONE": "make_timestamptz"}

// windowCall is a call of a window table function as it stands in a tree.
type windowCall struct {
	Window
	of *tree // the COLUMN_REF or SUBQUERY that names its table
	at *tree // the column
}

// isWindow tells whether a FROM's node is a call of TUMBLE or HOP.
func isWindow(v *tree) bool {
	f := v.get("function")
	return v.get("type").str() == "TABLE_FUNCTION" && windowForms[strings.ToUpper(f.get("function_name").str())] != "" && f.get("schema").str() == "" && f.get("catalog").str() == ""
}

// windowParts reads a call that isWindow knows. refuse makes the fault at a node.
func windowParts(v *tree, refuse func(at *tree, hint, message string) error) (windowCall, error) {
	f := v.get("function")
	c := windowCall{Window: Window{Kind: strings.ToUpper(f.get("function_name").str())}}
	form := windowForms[c.Kind]
	children := f.get("children")
	least := 3
	if c.Kind == "HOP" {
		least = 4
	}
	if !neutralBut(v, "function", "alias", "column_name_alias", "with_ordinality") || v.get("with_ordinality").str() != "WITHOUT_ORDINALITY" ||
		!neutralBut(f, "function_name", "children") || children == nil || len(children.items) < least || len(children.items) > least+1 {
		return c, refuse(v, form, c.Kind+" does not take these arguments")
	}
	for _, argument := range children.items {
		if argument.get("alias").str() != "" {
			return c, refuse(argument, form+", without names of arguments", c.Kind+" does not take named arguments")
		}
	}
	c.of = children.items[0]
	names := c.of.get("column_names")
	isTable := c.of.get("class").str() == "COLUMN_REF" && names != nil && len(names.items) <= 3
	if !isTable && (c.of.get("class").str() != "SUBQUERY" || c.of.get("subquery_type").str() != "SCALAR") {
		return c, refuse(c.of, form, "the first argument of "+c.Kind+" is no table")
	}
	column := children.items[1]
	if names := column.get("column_names"); column.get("class").str() != "COLUMN_REF" || names == nil || len(names.items) != 1 {
		return c, refuse(column, form, "the second argument of "+c.Kind+" is no column")
	}
	c.at = column
	c.Column = column.get("column_names").items[0].str()
	return c, c.durations(children.items[2:], form, refuse)
}

func (c *windowCall) durations(arguments []*tree, form string, refuse func(at *tree, hint, message string) error) error {
	into := []*time.Duration{&c.Size, &c.Shift}
	if c.Kind == "HOP" {
		into = []*time.Duration{&c.Slide, &c.Size, &c.Shift}
	}
	for i, argument := range arguments {
		d, ok := duration(argument)
		switch {
		case !ok:
			return refuse(argument, form, "a width of "+c.Kind+" is no interval of a fixed length")
		case into[i] != &c.Shift && (d < windowMin || d > windowMax):
			return refuse(argument, "write an interval from a millisecond to a year", "a width of "+c.Kind+" is out of bounds")
		case into[i] == &c.Shift && (d < -windowMax || d > windowMax):
			return refuse(argument, "write an interval of less than a year", "the offset of "+c.Kind+" is out of bounds")
		}
		*into[i] = d
	}
	if c.Kind == "TUMBLE" {
		c.Slide = c.Size
	}
	if c.Size/c.Slide > windowsPerRow {
		return refuse(arguments[0], "take a longer slide", fmt.Sprintf("each row would be in more than %d windows", windowsPerRow))
	}
	return nil
}

// intervalUnits are the units of a fixed length, and how DuckDB calls their functions.
var intervalUnits = map[string]time.Duration{
	"microsecond": time.Microsecond, "us": time.Microsecond, "usec": time.Microsecond,
	"millisecond": time.Millisecond, "ms": time.Millisecond, "msec": time.Millisecond,
	"second": time.Second, "s": time.Second, "sec": time.Second, "minute": time.Minute, "m": time.Minute, "min": time.Minute,
	"hour": time.Hour, "h": time.Hour, "hr": time.Hour, "day": 24 * time.Hour, "d": 24 * time.Hour, "week": 7 * 24 * time.Hour, "w": 7 * 24 * time.Hour,
}

func intervalUnit(word string) (time.Duration, bool) {
	word = strings.ToLower(word)
	unit, ok := intervalUnits[word]
	if !ok && len(word) > 2 {
		unit, ok = intervalUnits[strings.TrimSuffix(word, "s")]
	}
	return unit, ok
}

// duration reads an INTERVAL as DuckDB's parser writes it: a cast of a text, or to_seconds(…)
// of a number.
func duration(v *tree) (time.Duration, bool) {
	switch v.get("class").str() {
	case "CAST":
		if v.get("cast_type").get("id").str() == "INTERVAL" && v.get("child").get("class").str() == "CONSTANT" {
			return ParseInterval(v.get("child").get("value").get("value").str())
		}
	case "FUNCTION":
		word, is := strings.CutPrefix(v.get("function_name").str(), "to_")
		unit, known := intervalUnit(word)
		children := v.get("children")
		if !is || !known || children == nil || len(children.items) != 1 {
			return 0, false
		}
		return times(number(children.items[0]), unit)
	}
	return 0, false
}

// number is the text of a number that stands within casts and trunc.
func number(v *tree) string {
	switch v.get("class").str() {
	case "CAST":
		return number(v.get("child"))
	case "FUNCTION":
		if children := v.get("children"); v.get("function_name").str() == "trunc" && children != nil && len(children.items) == 1 {
			return number(children.items[0])
		}
	case "CONSTANT":
		switch value := v.get("value"); value.get("type").get("id").str() {
		case "VARCHAR":
			return value.get("value").str()
		case "INTEGER", "BIGINT":
			return value.get("value").raw
		}
	}
	return ""
}

// times is a number of a unit; it must be whole microseconds.
func times(number string, unit time.Duration) (time.Duration, bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil {
		return 0, false
	}
	d := n * float64(unit)
	if !(d > -float64(10*windowMax) && d < float64(10*windowMax)) {
		return 0, false
	}
	out := time.Duration(d).Round(time.Microsecond)
	diff := d - float64(out)
	return out, diff > -1 && diff < 1
}

// ParseInterval reads the text of an INTERVAL of a fixed length: 10 seconds, 1 day 2 hours,
// 00:00:10.
func ParseInterval(text string) (time.Duration, bool) {
	words := strings.Fields(strings.NewReplacer(",", " ").Replace(text))
	var sum time.Duration
	for i := 0; i < len(words); i++ {
		if clock := strings.Split(words[i], ":"); len(clock) == 3 && i == len(words)-1 {
			for k, unit := range []time.Duration{time.Hour, time.Minute, time.Second} {
				d, ok := times(clock[k], unit)
				if !ok || d < 0 {
					return 0, false
				}
				sum += d
			}
			return sum, true
		}
		count, word := words[i], ""
		if cut := strings.IndexFunc(count, func(r rune) bool { return r >= 'A' }); cut > 0 {
			count, word = count[:cut], count[cut:]
		} else if i++; i < len(words) {
			word = words[i]
		}
		unit, known := intervalUnit(word)
		d, ok := times(count, unit)
		if !known || !ok {
			return 0, false
		}
		sum += d
	}
	return sum, len(words) > 0
}

// windowHint says what to do about other window functions.
func windowHint(name string) string {
	switch name = strings.ToUpper(name); {
	case name == "CUMULATE", name == "SESSION", name == "TUMBLING", name == "HOPPING", name == "SLIDE", name == "SLIDING", name == "WINDOW", name == "TUMBLE_WINDOW", name == "TIME_WINDOW":
		return "write TUMBLE(table, column, size) or HOP(table, column, slide, size)"
	case strings.HasPrefix(name, "TUMBLE"), strings.HasPrefix(name, "HOP"), strings.HasPrefix(name, "SESSION_"):
		return "write it in FROM, such as FROM TUMBLE(table, column, INTERVAL '10' SECOND), and group by window_start, window_end"
	}
	return ""
}

// windowed puts the query that a window table function stands for in its place.
func (w *walker) windowed(v *tree, sc *scope) error {
	call, err := windowParts(v, func(at *tree, hint, message string) error { return w.refuse(at, fault.Invalid, hint, "%s", message) })
	if err != nil {
		return err
	}
	if w.parse == nil {
		return w.unknown(v, call.Kind)
	}
	source, name := call.source()
	if err := w.from(source, sc); err != nil {
		return err
	}
	if err := w.typed(source, &call); err != nil {
		return err
	}
	statement, err := w.parse(WindowSQL(call.Window, `"s"`))
	if err != nil {
		return err
	}
	place := statement.get("node").find("BASE_TABLE")
	if place == nil {
		return fmt.Errorf("read the query of %s: it names no table", call.Kind)
	}
	place.become(source, w.placed)
	alias := v.get("alias")
	if alias.str() == "" {
		alias = text(name)
	}
	*v = *object("type", text("SUBQUERY"), "alias", alias, "sample", scalar("null"), "query_location", v.get("query_location"),
		"subquery", statement, "column_name_alias", v.get("column_name_alias"))
	return nil
}

// typed looks for the column in a table, and refuses one that it has not. What a CTE or a
// query has DuckDB tells.
func (w *walker) typed(source *tree, call *windowCall) error {
	r := w.placed[source]
	if r == nil || len(r.Columns) == 0 {
		return nil
	}
	i := slices.IndexFunc(r.Columns, func(c string) bool { return strings.EqualFold(c, call.Column) })
	switch {
	case i < 0:
		hint := "name its column of a time"
		if near := Nearest(call.Column, r.Columns); near != "" {
			hint = "did you mean " + near + "?"
		}
		return w.refuse(call.at, fault.NotFound, hint, "%s has no column %s", r.Name, call.Column)
	case len(r.Types) != len(r.Columns):
		return nil
	case windowMakers[r.Types[i]] == "" && r.Types[i] != "DATE":
		return w.refuse(call.at, fault.Invalid, "name a column of the type TIMESTAMP or TIMESTAMPTZ, or compute one: "+call.Kind+"((SELECT *, … AS ts FROM "+r.Name+"), ts, …)",
			"the windows of %s cannot be of %s, which is a %s", call.Kind, call.Column, r.Types[i])
	}
	call.Type = r.Types[i]
	return nil
}

// source is the call's table as a node of a FROM, called s, and the name that it goes by.
func (c *windowCall) source() (node *tree, name string) {
	if c.of.get("class").str() == "SUBQUERY" {
		return object("type", text("SUBQUERY"), "alias", text("s"), "sample", scalar("null"), "query_location", c.of.get("query_location"),
			"subquery", c.of.get("subquery"), "column_name_alias", &tree{kind: '['}), strings.ToLower(c.Kind)
	}
	names := []*tree{text(""), text(""), text("")}
	given := c.of.get("column_names").items
	copy(names[3-len(given):], given)
	return object("type", text("BASE_TABLE"), "alias", text("s"), "sample", scalar("null"), "query_location", c.of.get("query_location"),
		"schema_name", names[1], "table_name", names[2], "column_name_alias", &tree{kind: '['}, "catalog_name", names[0], "at_clause", scalar("null")), names[2].str()
}

// find is the first node of a type.
func (t *tree) find(kind string) *tree {
	if t.get("type").str() == kind {
		return t
	}
	for _, item := range t.items {
		if found := item.find(kind); found != nil {
			return found
		}
	}
	return nil
}

// become puts another node in this one's place.
func (t *tree) become(other *tree, placed map[*tree]*relation) {
	*t = *other
	if r, ok := placed[other]; ok {
		delete(placed, other)
		placed[t] = r
	}
}
