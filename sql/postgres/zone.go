//go:build duckdb_arrow

package postgres

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a machine need not have any

	"tarn/embedded/fault"
)

// universal are the names of UTC, which needs no conversion.
var universal = []string{"UTC", "GMT", "UCT", "ZULU", "UNIVERSAL", "GREENWICH", "GMT0", "GMT+0", "GMT-0"}

// hours is a number of them, east of Greenwich; behind a name as POSIX has it, and as pgjdbc sends it of a JVM without a zone, west of it.
var hours = regexp.MustCompile(`^(UTC|GMT)?([+-]?)([0-9]{1,2})(:00)?$`)

// zoneOf finds what SET TimeZone names, and as what SHOW tells it; the zone is nil for UTC. Other zones than the IANA's have whole hours.
func zoneOf(said string) (zone *time.Location, name string, err error) {
	upper := strings.ToUpper(said)
	if slices.Contains(universal, strings.TrimPrefix(upper, "ETC/")) {
		if upper == "UTC" || upper == "GMT" {
			said = upper
		}
		return nil, said, nil
	}
	if m := hours.FindStringSubmatch(upper); m != nil {
		sign := m[2]
		if m[1] == "" { // of which the IANA's name has the other sign
			sign = map[string]string{"": "-", "+": "-", "-": "+"}[sign]
		}
		n, _ := strconv.Atoi(m[3])
		if n == 0 {
			return nil, "UTC", nil
		}
		said = "Etc/GMT" + sign + strconv.Itoa(n)
	}
	for _, name := range []string{said, titled(said), upper} {
		if first, _, _ := strings.Cut(name, "/"); name == "" || slices.Contains(noZones, strings.ToLower(first)) {
			continue
		}
		if zone, err := time.LoadLocation(name); err == nil {
			return zone, name, nil
		}
	}
	return nil, "", stateError{"22023", fault.Newf(fault.Invalid, "take a name of the IANA's database, such as Europe/Paris", "invalid value for parameter \"TimeZone\": %q", said)}
}

// noZones are what lies beside zones, or is the machine's.
var noZones = []string{"local", "localtime", "posix", "posixrules", "right", "factory"}

// titled is a name as most are written: europe/paris as Europe/Paris.
func titled(name string) string {
	b := []byte(strings.ToLower(name))
	for i := range b {
		if b[i] >= 'a' && b[i] <= 'z' && (i == 0 || strings.IndexByte("/_-", b[i-1]) >= 0) {
			b[i] -= 'a' - 'A'
		}
	}
	return string(b)
}

// zoneName is the zone in which statements run; "" for UTC.
func (s *settings) zoneName() string {
	if s.zone == nil {
		return ""
	}
	return s.zone.String()
}
