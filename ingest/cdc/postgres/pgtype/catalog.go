package pgtype

import (
	"fmt"
	"strconv"
)

// The oids of built-in types (PostgreSQL's pg_type.dat), which never change.
const (
	boolOID        = 16
	byteaOID       = 17
	charOID        = 18
	nameOID        = 19
	int8OID        = 20
	int2OID        = 21
	int4OID        = 23
	textOID        = 25
	oidOID         = 26
	jsonOID        = 114
	xmlOID         = 142
	pointOID       = 600
	cidrOID        = 650
	float4OID      = 700
	float8OID      = 701
	macaddr8OID    = 774
	moneyOID       = 790
	macaddrOID     = 829
	inetOID        = 869
	bpcharOID      = 1042
	varcharOID     = 1043
	dateOID        = 1082
	timeOID        = 1083
	timestampOID   = 1114
	timestamptzOID = 1184
	intervalOID    = 1186
	timetzOID      = 1266
	bitOID         = 1560
	varbitOID      = 1562
	numericOID     = 1700
	uuidOID        = 2950
	tsvectorOID    = 3614
	jsonbOID       = 3802
	int4rangeOID   = 3904
	numrangeOID    = 3906
	tsrangeOID     = 3908
	tstzrangeOID   = 3910
	daterangeOID   = 3912
	int8rangeOID   = 3926
)

// Type is a type as pg_type describes it.
type Type struct {
	OID        uint32
	Name       string
	Kind       byte     // typtype: 'b' base, 'd' domain, 'e' enum, 'r' range, 'm' multirange, 'c' composite
	Elem       uint32   // of an array, its elements' type; 0 for what is no array
	Base       uint32   // of a domain, the type that it restricts
	BaseTypmod int32    // and that one's modifier
	Labels     []string // of an enum, in their order
}

// Catalog is the types of a database by their oids.
type Catalog map[uint32]Type

// CatalogQuery lists the types for Add. It takes no parameters and needs no rights. Types made after it are not known until
// it is run again, as an enum's labels are; without them their columns are text.
const CatalogQuery = `select t.oid::int8::text, t.typname::text, t.typtype::text, ` +
	`case when t.typcategory = 'A' and t.typname not in ('int2vector', 'oidvector') then t.typelem::int8 else 0 end::text, t.typbasetype::int8::text, t.typtypmod::text, ` +
	`coalesce((select array_agg(e.enumlabel::text order by e.enumsortorder) from pg_catalog.pg_enum e where e.enumtypid = t.oid), '{}')::text ` +
	`from pg_catalog.pg_type t where t.typtype <> 'p' ` +
	`and not (t.typtype = 'c' and exists (select from pg_catalog.pg_class c where c.oid = t.typrelid and c.relkind <> 'c'))`

// Add takes a row of CatalogQuery, in PostgreSQL's text form.
func (c Catalog) Add(row [][]byte) error {
	if len(row) != 7 || len(row[2]) == 0 {
		return fmt.Errorf("read pg_type: a row of %d columns", len(row))
	}
	var numbers [4]int64
	for i, at := range [4]int{0, 3, 4, 5} {
		n, err := strconv.ParseInt(string(row[at]), 10, 64)
		if err != nil {
			return fmt.Errorf("read pg_type: %w", err)
		}
		numbers[i] = n
	}
	labels, ok := arrayTexts(row[6])
	if !ok {
		return fmt.Errorf("read pg_type: labels %q", row[6])
	}
	oid := uint32(numbers[0])                                                                                        //nolint:gosec // an oid has 32 bits
	c[oid] = Type{oid, string(row[1]), row[2][0], uint32(numbers[1]), uint32(numbers[2]), int32(numbers[3]), labels} //nolint:gosec // as oids, and typmods
	return nil
}

// resolve follows domains to the type that holds the values, and its modifier.
func (c Catalog) resolve(oid uint32, typmod int32) (Type, int32) {
	t := c[oid]
	for range domainsMax {
		if t.Kind != 'd' {
			break
		}
		if typmod < 0 {
			typmod = t.BaseTypmod
		}
		t = c[t.Base]
	}
	if t.OID == 0 {
		t.OID = oid
	}
	return t, typmod
}

// domainsMax bounds domains over domains.
const domainsMax = 32
