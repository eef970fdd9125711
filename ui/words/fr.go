package words

import "maps"

// french holds each text by its English: one map for what all pages share, one for each page.
// A text that two pages say is in the map of one.
var french = all(frenchShared, frenchHome, frenchTables, frenchTopics, frenchPipelines, frenchSources, frenchSQL, frenchRow, frenchHealth, frenchLab)

func all(parts ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, part := range parts {
		maps.Copy(out, part)
	}
	return out
}

var frenchShared = map[string]string{
	// The frame.
	"Home":                "Accueil",
	"Topics":              "Topics",
	"Tables":              "Tables",
	"Pages":               "Pages",
	"Skip to the content": "Aller au contenu",
	"sample":              "exemple",
	"connecting":          "connexion",
	"Theme: auto":         "Thème\u00a0: auto",
	"Theme: dark":         "Thème\u00a0: sombre",
	"Theme: light":        "Thème\u00a0: clair",
	"as of":               "à",
	"This page as JSON":   "Cette page en JSON",
	"Health":              "Santé",
	"Metrics":             "Métriques",
	"Key figures":         "Chiffres clés",
	"What needs a look":   "À regarder",
	"needs a look":        "à regarder",
	"failed":              "en échec",
	"note":                "note",
	"warning":             "attention",
	"%s note":             "%s note",
	"%s notes":            "%s notes",
	"All parts ready":     "Tout est prêt",
	"Degraded":            "Dégradé",
	"Failed":              "En échec",
	"Starting":            "Démarrage",
	"OK":                  "OK",
	"The sample port and its application, started by --sample": "Le port d’exemple et son application, lancés par --sample",

	// The palette.
	"Go to…":                          "Aller à…",
	"Go to a page, a topic, a table…": "Aller à une page, un topic, une table…",
	"What to go to, or to do":         "Où aller, ou que faire",
	"A page, a topic, a table, what connects to a door…": "Une page, un topic, une table, de quoi se connecter…",
	"What there is": "Ce qu’il y a",

	// Copying.
	"Copy":            "Copier",
	"Copy %s":         "Copier %s",
	"Copy as SQL":     "Copier en SQL",
	"Copy as CLI":     "Copier en CLI",
	"Copy as curl":    "Copier en curl",
	"Copy as SQL: %s": "Copier en SQL\u00a0: %s",
	"Copy as CLI: %s": "Copier en CLI\u00a0: %s",

	// Things, and what is known of them.
	"Pipeline":     "Pipeline",
	"Pipelines":    "Pipelines",
	"Sources":      "Sources",
	"Topic":        "Topic",
	"Table":        "Table",
	"Bronze":       "Bronze",
	"Silver":       "Silver",
	"Gold":         "Gold",
	"Name":         "Nom",
	"State":        "État",
	"Kind":         "Type",
	"Error":        "Erreur",
	"Hint":         "Conseil",
	"Finding":      "Constat",
	"Position":     "Position",
	"Rate":         "Débit",
	"Lag":          "En attente",
	"Behind":       "Retard",
	"Rows":         "Lignes",
	"Files":        "Fichiers",
	"Size":         "Taille",
	"Bytes":        "Octets",
	"Snapshot":     "Snapshot",
	"Snapshots":    "Snapshots",
	"Committed":    "Commit",
	"Since":        "Depuis",
	"Waiting":      "À lire",
	"Statement":    "Instruction",
	"Reads":        "Lit",
	"Watermark":    "Watermark",
	"Late":         "Tardives",
	"Dead":         "Rejetés",
	"Records":      "Enregistrements",
	"Partition":    "Partition",
	"Partitions":   "Partitions",
	"Offset":       "Offset",
	"Key":          "Clé",
	"Value":        "Valeur",
	"Columns":      "Colonnes",
	"Upkeep":       "Entretien",
	"Orphans":      "Orphelins",
	"Orphan files": "Fichiers orphelins",
	"Small files":  "Petits fichiers",
	"Deleted rows": "Lignes supprimées",
	"Find":         "Chercher",
	"Close":        "Fermer",
	"Cancel":       "Annuler",
	"Run":          "Exécuter",
	"yes":          "oui",
	"no":           "non",
	"none":         "aucune",
	"all":          "toutes",
	"from":         "à partir de",
	"just now":     "à l’instant",
	"up to date":   "à jour",
	"lake":         "lac",
	"tables":       "tables",

	// Numbers of things.
	"%s row":        "%s ligne",
	"%s rows":       "%s lignes",
	"%s record":     "%s enregistrement",
	"%s records":    "%s enregistrements",
	"%s file":       "%s fichier",
	"%s files":      "%s fichiers",
	"%s data file":  "%s fichier de données",
	"%s data files": "%s fichiers de données",
	"%s ago":        "il y a %s",
	"%s, %s ago":    "%s, il y a %s",
	"%s behind":     "retard %s",
	"lag %s":        "%s en attente",

	// Where something is.
	"source %s":           "source %s",
	"source %s, table %s": "source %s, table %s",
	"topic %s":            "topic %s",
	"table %s":            "table %s",
	"pipeline %s":         "pipeline %s",
	"landing of %s":       "dépôt de %s",
}
