package sqltext

import (
	_ "embed"
	"strings"
)

//go:embed aggregates.txt
var aggregatesText string

// aggregateFunctions are all of DuckDB's that a statement may call.
var aggregateFunctions = func() map[string]bool {
	all := map[string]bool{}
	for f := range strings.FieldsSeq(aggregatesText) {
		all[f] = true
	}
	return all
}()

// aggregates are those that pipelines know.
var aggregates = map[string]bool{
	"count": true, "count_star": true, "sum": true, "min": true, "max": true, "avg": true, "median": true, "bool_and": true, "bool_or": true,
}

const knownAggregates = "count, sum, min, max, avg, median, bool_and and bool_or"

const (
	hintRandom  = "take a number or a name from a column of the source"
	hintSession = "leave it out"
)

// unstable are the functions whose answer is not a function of their arguments, with what to
// take in their place.
var unstable = map[string]string{
	"now": hintClock, "today": hintClock, "current_date": hintClock, "get_current_timestamp": hintClock, "current_localtime": hintClock,
	"current_localtimestamp": hintClock, "transaction_timestamp": hintClock, "ago": hintClock,
	"random": hintRandom, "uuid": hintRandom, "uuidv4": hintRandom, "uuidv7": hintRandom, "gen_random_uuid": hintRandom, "version": hintSession,
}

func hintUnstable(name string) string {
	if hint := unstable[name]; hint != "" {
		return hint
	}
	return "write age(later, earlier)" // age of one time is that until now
}

// manyRows are functions that answer several rows for one.
var manyRows = map[string]bool{"unnest": true, "generate_subscripts": true, "regexp_split_to_table": true, "unpivot_list": true}
