import { Html, html } from './html.ts'
import { STYLE } from './report-style.ts'

/** A whole HTML page that loads nothing: no script, no font, no picture. `more` adds to the look of the reports. */
export function page(title: string, body: Html, more = ''): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${new Html(STYLE + more)}</style>
</head>
<body>
${body}
</body>
</html>
`.text
}
