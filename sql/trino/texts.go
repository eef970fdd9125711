//go:build duckdb_arrow

package trino

import (
	"regexp"
	"strconv"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/sqltext"
)

// raisedMark begins the texts whose cast to a number fails with what is wrong: DuckDB has no function that does.
const raisedMark = "Invalid argument: "

// raised is an expression that fails, of no type in particular.
func raised(message string) string {
	return "CAST(" + duck.Quote(raisedMark+message) + " AS TINYINT)"
}

const alphabet = "'0123456789abcdefghijklmnopqrstuvwxyz'"

// urlParts is RFC 3986's expression (appendix B) of an address: scheme, authority, path, query and fragment.
const urlParts = `'^(?:([^:/?#]+):)?(?://([^/?#]*))?([^?#\s]*)(?:\?([^#\s]*))?(?:#(\S*))?$'`

func urlPart(group int) string {
	return "CASE WHEN regexp_full_match($1, " + urlParts + ") THEN regexp_extract($1, " + urlParts + ", " + strconv.Itoa(group) + ") END"
}

// urlHost and urlPort are of an authority, user@host:port.
const (
	urlHost = `regexp_extract(regexp_extract($1, ` + urlParts + `, 2), '^(?:[^@]*@)?([^:]*)', 1)`
	urlPort = `regexp_extract(regexp_extract($1, ` + urlParts + `, 2), ':([0-9]+)$', 1)`
)

// texts are functions of texts and numbers.
var texts = map[string]map[int]string{
	"from_base": {2: "CASE WHEN list_bool_and(list_transform(string_split(ltrim(lower($1), '-'), ''), lambda _c: strpos(" + alphabet + ", _c) BETWEEN 1 AND $2)) AND $1 <> '' THEN " +
		"CASE WHEN $1 LIKE '-%' THEN -1 ELSE 1 END * list_reduce(list_transform(string_split(ltrim(lower($1), '-'), ''), lambda _c: CAST(strpos(" + alphabet + ", _c) - 1 AS BIGINT)), lambda _a, _b: _a * $2 + _b) " +
		"WHEN $1 IS NOT NULL AND $2 IS NOT NULL THEN " + raised("Not a valid number of this base") + " END"},
	"width_bucket": {
		2: "CASE WHEN $1 IS NOT NULL THEN CAST(len(list_filter($2, lambda _b: _b <= $1)) AS BIGINT) END",
		4: "CASE WHEN $2 < $3 THEN CASE WHEN $1 < $2 THEN 0 WHEN $1 >= $3 THEN CAST($4 AS BIGINT) + 1 ELSE CAST(floor(CAST($4 AS DOUBLE) * ($1 - $2) / ($3 - $2)) AS BIGINT) + 1 END " +
			"WHEN $2 > $3 THEN CASE WHEN $1 >= $2 THEN 0 WHEN $1 < $3 THEN CAST($4 AS BIGINT) + 1 ELSE CAST($4 AS BIGINT) - CAST(floor(CAST($4 AS DOUBLE) * ($1 - $3) / ($2 - $3)) AS BIGINT) END END",
	},
	"bitwise_and": {2: "(CAST($1 AS BIGINT) & CAST($2 AS BIGINT))"}, "bitwise_or": {2: "(CAST($1 AS BIGINT) | CAST($2 AS BIGINT))"}, "bitwise_xor": {2: "xor(CAST($1 AS BIGINT), CAST($2 AS BIGINT))"},
	"bitwise_not": {1: "(~CAST($1 AS BIGINT))"}, "bitwise_and_agg": {1: "bit_and(CAST($1 AS BIGINT))"}, "bitwise_or_agg": {1: "bit_or(CAST($1 AS BIGINT))"}, "bitwise_xor_agg": {1: "bit_xor(CAST($1 AS BIGINT))"},
	"skewness":                       {1: "skewness($1) * (count($1) - 2) / sqrt(count($1) * (count($1) - 1))"},
	"format_number":                  {1: formatNumber},
	"bit_count":                      {2: "CAST(bit_count(CAST($1 AS BIGINT)) AS BIGINT) - CASE WHEN $1 < 0 THEN 64 - $2 ELSE 0 END"},
	"bitwise_right_shift_arithmetic": {2: "CASE WHEN $2 >= 63 THEN CASE WHEN $1 < 0 THEN cast_to_type(-1, $1) ELSE cast_to_type(0, $1) END ELSE cast_to_type(floor($1 / CAST(pow(2, $2) AS DOUBLE)), $1) END"},
	"bitwise_right_shift":            {2: "CASE WHEN $1 >= 0 THEN $1 >> $2 ELSE cast_to_type((CAST($1 AS HUGEINT) + CASE typeof($1) WHEN 'BIGINT' THEN CAST(18446744073709551616 AS HUGEINT) WHEN 'INTEGER' THEN 4294967296 WHEN 'SMALLINT' THEN 65536 ELSE 256 END) >> CAST($2 AS INTEGER), $1) END"},
	"wilson_interval_lower":          {3: wilson("-")}, "wilson_interval_upper": {3: wilson("+")},
	"parse_data_size": {1: dataSize}, "parse_presto_data_size": {1: dataSize},

	"luhn_check": {1: "CASE WHEN regexp_full_match($1, '[0-9]+') THEN list_sum(list_transform(list_reverse(string_split($1, '')), lambda _d, _i: CASE WHEN _i % 2 = 1 THEN CAST(_d AS INTEGER) ELSE (CAST(_d AS INTEGER) * 2) % 10 + CAST(_d AS INTEGER) // 5 END)) % 10 = 0 WHEN $1 IS NOT NULL THEN false END"},
	"split":      {2: "string_split($1, $2)", 3: "CASE WHEN len(string_split($1, $2)) <= $3 THEN string_split($1, $2) ELSE list_append(list_slice(string_split($1, $2), 1, $3 - 1), array_to_string(list_slice(string_split($1, $2), $3, len(string_split($1, $2))), $2)) END"},
	"strpos": {2: "", 3: "CASE WHEN $3 > 0 THEN CASE WHEN len(string_split($1, $2)) > $3 THEN length(array_to_string(list_slice(string_split($1, $2), 1, $3), $2)) + 1 WHEN $1 IS NOT NULL THEN 0 END " +
		"WHEN len(string_split($1, $2)) > -$3 THEN length(array_to_string(list_slice(string_split($1, $2), 1, len(string_split($1, $2)) + $3), $2)) + 1 WHEN $1 IS NOT NULL THEN 0 END"},
	"hamming_distance": {2: "CASE WHEN length($1) <> length($2) THEN " + raised("The input strings to hamming_distance function must have the same length") + " ELSE hamming($1, $2) END"},
	"soundex": {1: "CASE WHEN $1 IS NOT NULL THEN rpad(substr(upper($1), 1, 1) || replace(substr(" + collapsed("translate(regexp_replace(upper($1), '(.)[HW]+', '\\1', 'g'), 'ABCDEFGIJKLMNOPQRSTUVXYZ', '012301202245501262301202')") +
		", 2), '0', ''), 4, '0') END"},

	"from_base64": {1: "from_base64($1)"}, "to_base64": {1: "to_base64($1)"},
	"from_base64url": {1: "from_base64(replace(replace($1, '-', '+'), '_', '/'))"}, "to_base64url": {1: "replace(replace(to_base64($1), '+', '-'), '/', '_')"},
	"to_big_endian_32":   {1: "unhex(lpad(right(hex(CAST($1 AS BIGINT)), 8), 8, '0'))"},
	"to_big_endian_64":   {1: "unhex(lpad(hex(CAST($1 AS BIGINT)), 16, '0'))"},
	"from_big_endian_64": {1: "CAST(CASE WHEN hex($1) >= '8000000000000000' THEN CAST(CAST('0x' || hex($1) AS UBIGINT) AS HUGEINT) - 18446744073709551616 ELSE CAST(CAST('0x' || hex($1) AS UBIGINT) AS HUGEINT) END AS BIGINT)"},
	"from_big_endian_32": {1: "CAST(CASE WHEN hex($1) >= '80000000' THEN CAST('0x' || hex($1) AS BIGINT) - 4294967296 ELSE CAST('0x' || hex($1) AS BIGINT) END AS INTEGER)"},

	"url_extract_protocol": {1: urlPart(1)}, "url_extract_path": {1: urlPart(3)}, "url_extract_query": {1: urlPart(4)}, "url_extract_fragment": {1: urlPart(5)},
	"url_extract_host": {1: "CASE WHEN regexp_full_match($1, " + urlParts + ") THEN " + urlHost + " END"},
	"url_extract_port": {1: "CASE WHEN regexp_full_match($1, " + urlParts + ") AND " + urlPort + " <> '' THEN CAST(" + urlPort + " AS BIGINT) END"},
	"url_extract_parameter": {2: "list_extract(list_transform(list_filter(string_split(CASE WHEN regexp_full_match($1, " + urlParts + ") THEN regexp_extract($1, " + urlParts + ", 4) END, '&'), lambda _p: split_part(_p, '=', 1) = $2), " +
		"lambda _p: url_decode(substr(_p, length($2) + 2))), 1)"},

	"regexp_extract_all": {2: "", 3: "regexp_extract_all($1, $2, $3)"},
	"regexp_position": {
		2: regexpPosition("$1", "0", "1"), 3: regexpPosition("substr($1, $3)", "$3 - 1", "1"), 4: regexpPosition("substr($1, $3)", "$3 - 1", "$4"),
	},
	"current_groups": {0: "CAST([] AS VARCHAR[])"}, "current_timezone": {0: "'UTC'"},
}

// dataSize is the number of bytes of a text such as 1.5MB, which are of 1024.
var dataSize = "CAST(CAST(regexp_extract($1, '^([0-9.]+)', 1) AS DECIMAL(28,4)) * CASE regexp_extract($1, '([a-zA-Z]+)$', 1) WHEN 'B' THEN 1::DECIMAL(38,0) WHEN 'kB' THEN 1024 WHEN 'MB' THEN 1048576 WHEN 'GB' THEN 1073741824 WHEN 'TB' THEN 1099511627776 WHEN 'PB' THEN 1125899906842624 ELSE " + raised("Invalid data size") + " END AS DECIMAL(38,0))"

// formatNumber has three digits and a letter for each thousand: 1.23M.
const formatNumber = "CASE WHEN abs($1) < 1000 AND abs($1) = floor(abs($1)) THEN CAST(CAST($1 AS BIGINT) AS VARCHAR) ELSE list_extract(list_transform([struct_pack(v := CAST($1 AS DOUBLE), u := CASE WHEN abs($1) < 1000 THEN 0 " +
	"WHEN abs($1) < 1e6 THEN 1 WHEN abs($1) < 1e9 THEN 2 WHEN abs($1) < 1e12 THEN 3 WHEN abs($1) < 1e15 THEN 4 ELSE 5 END)], lambda _n: " +
	"CASE WHEN abs(_n.v / pow(1000, _n.u)) >= 100 THEN printf('%.0f', _n.v / pow(1000, _n.u)) WHEN abs(_n.v / pow(1000, _n.u)) >= 10 THEN rtrim(rtrim(printf('%.1f', _n.v / pow(1000, _n.u)), '0'), '.') " +
	"ELSE rtrim(rtrim(printf('%.2f', _n.v / pow(1000, _n.u)), '0'), '.') END || list_extract(['', 'K', 'M', 'B', 'T', 'Q'], _n.u + 1)), 1) END"

// regexpPosition is where the n-th match begins, counted from what stands before.
func regexpPosition(in, before, n string) string {
	pieces := "list_slice(string_split_regex(" + in + ", $2), 1, " + n + ")"
	matches := "list_slice(regexp_extract_all(" + in + ", $2), 1, " + n + " - 1)"
	return "CASE WHEN len(regexp_extract_all(" + in + ", $2)) >= " + n + " THEN CAST(" + before + " + 1 + length(array_to_string(" + pieces + ", '')) + length(array_to_string(" + matches + ", '')) AS INTEGER) WHEN $1 IS NOT NULL THEN -1 END"
}

// collapsed has one of each run of a digit.
func collapsed(text string) string {
	for digit := range 7 {
		d := strconv.Itoa(digit)
		text = "regexp_replace(" + text + ", '" + d + "+', '" + d + "', 'g')"
	}
	return text
}

func wilson(sign string) string {
	const p, n = "(CAST($1 AS DOUBLE) / $2)", "$2"
	return "(" + p + " + $3 * $3 / (2 * " + n + ") " + sign + " $3 * sqrt(" + p + " * (1 - " + p + ") / " + n + " + $3 * $3 / (4 * CAST(" + n + " AS DOUBLE) * " + n + "))) / (1 + $3 * $3 / " + n + ")"
}

// concatWS takes texts, or one array of them.
func concatWS(args []sqltext.Argument) (string, error) {
	if len(args) == 2 && args[1].Text == nil && (isList(args[1]) || args[1].Class != "CONSTANT") {
		return "CASE WHEN $1 IS NOT NULL THEN array_to_string(list_filter(" + "$2" + ", lambda _x: _x IS NOT NULL), $1) END", nil
	}
	return "", nil
}

var (
	namedGroup = regexp.MustCompile(`\$\{([A-Za-z][A-Za-z0-9]*)\}`)
	captures   = regexp.MustCompile(`\\.|\[(?:\\.|[^\]\\])*\]|\(\?<([A-Za-z][A-Za-z0-9]*)>|\((\?)?`)
)

// captured is a pattern without names of its groups, with their numbers, and how many groups there are.
func captured(pattern string) (bare string, numbers map[string]int, n int) {
	numbers = map[string]int{}
	bare = captures.ReplaceAllStringFunc(pattern, func(m string) string {
		switch p := captures.FindStringSubmatch(m); {
		case p[1] != "":
			n++
			numbers[p[1]] = n
			return "("
		case m == "(":
			n++
		}
		return m
	})
	return bare, numbers, n
}

// The pattern is written out once for each of its groups.
const (
	groupsMax    = 20
	groupedBytes = 4 << 10
)

// replacedBy is regexp_replace whose third argument is a lambda of the groups of a match.
func replacedBy(pattern string) (string, error) {
	bare, _, n := captured(pattern)
	if n > groupsMax || len(bare) > groupedBytes {
		return "", unsupported("capture less", "the pattern of a regexp_replace with a lambda has at most %d groups and %d bytes", groupsMax, groupedBytes)
	}
	p := duck.Quote(bare)
	groups := make([]string, n)
	for i := range groups {
		groups[i] = "list_extract(regexp_extract_all($1, " + p + ", " + strconv.Itoa(i+1) + "), _i)"
	}
	list := "CAST([] AS VARCHAR[])"
	if n > 0 {
		list = "[" + strings.Join(groups, ", ") + "]"
	}
	return "array_to_string(list_transform(string_split_regex($1, " + p + "), lambda _s, _i: _s || CASE WHEN _i <= len(regexp_extract_all($1, " + p + ")) THEN coalesce(applied($3, " + list + "), '') ELSE '' END), '')", nil
}
