// Package search finds packages by words.
//
// An Index is built from listings and immutable. A query is a list of words:
// each must be found in the name, a keyword, a category or the summary; the
// last one may be the beginning of a word. "-word" excludes, "keyword:x",
// "category:x" and "license:x" restrict. When fewer than MinHits are found and
// a word is long enough for a typing error, near words count too, and the
// answer says so.
//
// Ranking: the exact name first, then names whose first words are the query,
// then names that begin with it (of these the shortest first), then by the
// weight of the field (name, keyword or category, summary) and the rarity of
// the word; ties by name.
//
//	idx := search.Build(listings)
//	r := idx.Query("log stor", search.Options{Limit: 20})
package search
