// Package site is the catalog for people: pages made on the server that are
// whole without scripts, with one small script for search as you type and for
// pages that follow what runs. It looks at the catalog and the cluster through
// their clients only.
//
// Pages: / (search), /packages/NAME (a package), /services (what runs),
// /services/ID (a service), /nodes (agents). Everything they need is embedded;
// nothing is fetched from elsewhere, and the content security policy says so.
//
// What a package says of itself is hostile: text is escaped by the templates,
// Markdown is tamed as a tree and filtered as HTML, and a document that would
// take long to render is shown as it was typed.
//
// A page shows no more than named limits allow, and with its style, script and
// icon an ordinary one stays below 50 KiB.
package site
