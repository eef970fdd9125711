package fault

import "math"

// Anything is a limit of Nearest that takes the best name however unlike it is.
const Anything = math.MaxInt

// Nearest returns the first name with the fewest edits to want (Levenshtein's distance), for
// a hint; "" when none takes fewer than limit.
func Nearest(want string, names []string, limit int) string {
	best := ""
	for _, n := range names {
		if d := distance(want, n, limit); d < limit {
			best, limit = n, d
		}
	}
	return best
}

// distance counts edits, up to limit: names whose lengths alone differ by it cost nothing.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return min(row[len(b)], limit)
}
