package sqltext

// Output is a column of a query and what it is made of. Inputs are schema.table.column of
// the relations that the resolver answered.
type Output struct {
	Name   string
	Inputs []string
}

func (w *walker) outputs(*tree) []Output { return nil }
