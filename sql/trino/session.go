package trino

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"tarn/embedded/fault"
)

// The headers by which clients tell of their session, and are told what has changed of it.
const (
	headSource       = "X-Trino-Source"
	headUser         = "X-Trino-User"
	headCatalog      = "X-Trino-Catalog"
	headSchema       = "X-Trino-Schema"
	headSession      = "X-Trino-Session"
	headPrepared     = "X-Trino-Prepared-Statement"
	headCapabilities = "X-Trino-Client-Capabilities"
	headTransaction  = "X-Trino-Transaction-Id"
	headZone         = "X-Trino-Time-Zone"

	headSetCatalog   = "X-Trino-Set-Catalog"
	headSetSchema    = "X-Trino-Set-Schema"
	headSetSession   = "X-Trino-Set-Session"
	headClearSession = "X-Trino-Clear-Session"
	headAdded        = "X-Trino-Added-Prepare"
	headDeallocated  = "X-Trino-Deallocated-Prepare"
	headStarted      = "X-Trino-Started-Transaction-Id"
	headCleared      = "X-Trino-Clear-Transaction-Id"
)

// headItemsMax bounds the settings of a request, and its prepared statements.
const headItemsMax = 1000

// session is what a client tells of its session with each statement: this side keeps none.
type session struct {
	user            string
	source          string // the client's program
	catalog, schema string
	properties      map[string]string
	prepared        map[string]string
	transaction     string
	parametric      bool   // it knows of timestamp(6)
	zone            string // by its name in the IANA's database; "" for UTC
}

func readSession(h http.Header) (session, error) {
	s := session{source: h.Get(headSource), catalog: h.Get(headCatalog), schema: h.Get(headSchema), transaction: h.Get(headTransaction)}
	var err error
	if s.properties, err = pairs(h.Values(headSession), headSession); err != nil {
		return s, err
	}
	if s.prepared, err = pairs(h.Values(headPrepared), headPrepared); err != nil {
		return s, err
	}
	for known := range strings.SplitSeq(strings.Join(h.Values(headCapabilities), ","), ",") {
		s.parametric = s.parametric || strings.TrimSpace(known) == "PARAMETRIC_DATETIME"
	}
	zone := h.Get(headZone)
	if set := s.properties[zoneProperty]; set != "" {
		zone = set
	}
	s.zone, err = zoneOf(zone)
	return s, err
}

// pairs reads name=value, name=value, of which the values are encoded as in an address.
func pairs(headers []string, name string) (map[string]string, error) {
	out := map[string]string{}
	for _, header := range headers {
		for pair := range strings.SplitSeq(header, ",") {
			if pair = strings.TrimSpace(pair); pair == "" {
				continue
			}
			key, value, ok := strings.Cut(pair, "=")
			text, err := url.QueryUnescape(strings.TrimSpace(value))
			if !ok || err != nil {
				return nil, fault.Newf(fault.Invalid, "write name=value, its value encoded as in an address", "the header %s is none that can be read", name)
			}
			if key, err = url.QueryUnescape(strings.TrimSpace(key)); err != nil || key == "" {
				return nil, fault.Newf(fault.Invalid, "write name=value", "the header %s is none that can be read", name)
			}
			if out[key] = text; len(out) > headItemsMax {
				return nil, fault.Newf(fault.TooLarge, "leave some out", "the header %s has more than %d values", name, headItemsMax)
			}
		}
	}
	return out, nil
}

// property is a setting of a session that has an effect, or is taken for the sake of tools that set it.
type property struct{ name, value, kind, says string }

var properties = []property{
	{"query_max_run_time", "", "varchar", "longest time of a statement; sql.timeout where it is shorter"},
	{"query_max_execution_time", "", "varchar", "the same"},
	{"join_distribution_type", "AUTOMATIC", "varchar", "without effect: there is one node"},
	{"join_reordering_strategy", "AUTOMATIC", "varchar", "without effect"},
	{zoneProperty, "", "varchar", "time zone of the session, instead of the client's"},
	{"query_priority", "1", "integer", "without effect"},
	{"task_concurrency", "", "integer", "without effect"},
}

func knownProperty(name string) bool {
	return slices.ContainsFunc(properties, func(p property) bool { return p.name == name })
}

// propertyRows are the settings with what they are in a session.
func (s session) propertyRows() (out [][]string) {
	for _, p := range properties {
		value := p.value
		if set, ok := s.properties[p.name]; ok {
			value = set
		}
		out = append(out, []string{p.name, value, p.value, p.kind, p.says})
	}
	return out
}
