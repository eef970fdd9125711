//go:build duckdb_arrow

package catalog

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tarn/embedded/sqltext"
)

// besideText tells whether one side of an operator is a literal text, or a parameter whose type is asked for, and the other is none.
func besideText(args []sqltext.Argument) bool {
	return len(args) == 2 && (args[0].Text != nil) != (args[1].Text != nil)
}

// writtenNumber is a text that is a number as it may stand in a statement.
var writtenNumber = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)

// ofOther is an operator of which one side is a literal text: it has the type of the other side, where that is a number. "" elsewhere.
func ofOther(args []sqltext.Argument, says sqltext.Template) (string, error) {
	if !besideText(args) {
		return "", nil
	}
	i := 0
	if args[1].Text != nil {
		i = 1
	}
	of := args[1-i]
	if f := familyOf(of); f != integer && f != numeric && f != float {
		return "", nil
	}
	mark, typ := "$"+strconv.Itoa(i+1), of.Type
	value := "CAST(" + mark + " AS " + typ + ")"
	if bare, _, _ := strings.Cut(typ, "("); bare == "DECIMAL" { // of any number of digits
		if value = *args[i].Text; !writtenNumber.MatchString(value) {
			value = "CAST(" + mark + " AS DECIMAL(38,10))"
		}
	}
	typed := slices.Clone(args)
	typed[i].Type, typed[i].Text = typ, nil
	said, err := says(typed)
	return strings.ReplaceAll(said, mark, value), err
}

// operator is one of two numbers.
func operator(name string) sqltext.Template {
	plain := func(args []sqltext.Argument) (string, error) {
		said, err := widened(name)(args)
		if said == "" && err == nil {
			said = "($1 " + name + " $2)"
		}
		return said, err
	}
	return func(args []sqltext.Argument) (string, error) {
		if said, err := ofOther(args, plain); said != "" || err != nil {
			return said, err
		}
		return widened(name)(args)
	}
}

// plus takes an interval to a time, where the type of what is added is open.
func plus(args []sqltext.Argument) (string, error) {
	if besideText(args) {
		for i, a := range args {
			if a.Text == nil && (a.Type == "INTERVAL" || strings.HasPrefix(a.Type, "TIMESTAMP")) {
				return []string{"($1 + CAST($2 AS INTERVAL))", "(CAST($1 AS INTERVAL) + $2)"}[i], nil
			}
		}
	}
	return operator("+")(args)
}
