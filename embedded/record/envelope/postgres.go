package envelope

import "strconv"

// PostgresPlace is what the member "source" of PostgreSQL's events has in place of a sequence number
// (schema io.debezium.connector.postgresql.Source).
type PostgresPlace struct {
	TxID int64  // the transaction's
	LSN  uint64 // of the change; in a snapshot, of the snapshot
	// CommitLSN is that of the last commit before the change's transaction; 0 for none, as in a snapshot.
	CommitLSN uint64
	Xmin      int64  // of the slot; 0 where it is not watched
	Origin    string // where the change was made first, "" for here
	OriginLSN uint64
}

// appendSequence renders the text of a JSON array of two texts.
func (p *PostgresPlace) appendSequence(dst []byte) []byte {
	dst = append(dst, `"[`...)
	if p.CommitLSN == 0 {
		dst = append(dst, `null,\"`...)
	} else {
		dst = strconv.AppendUint(append(dst, `\"`...), p.CommitLSN, 10)
		dst = append(dst, `\",\"`...)
	}
	dst = strconv.AppendUint(dst, p.LSN, 10)
	return append(dst, `\"]"`...)
}

func (p *PostgresPlace) append(dst []byte) []byte {
	number := func(name string, n uint64) {
		if dst = append(dst, name...); n == 0 {
			dst = append(dst, "null"...)
			return
		}
		dst = strconv.AppendUint(dst, n, 10)
	}
	number(`,"txId":`, uint64(p.TxID)) //nolint:gosec // ids are not negative
	number(`,"lsn":`, p.LSN)
	number(`,"xmin":`, uint64(p.Xmin)) //nolint:gosec // ids are not negative
	if dst = append(dst, `,"origin":`...); p.Origin == "" {
		dst = append(dst, "null"...)
	} else {
		dst = appendName(dst, p.Origin)
	}
	number(`,"origin_lsn":`, p.OriginLSN)
	return dst
}
