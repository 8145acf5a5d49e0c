import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import fc from 'fast-check'
import { z } from 'zod'
import { readableJcs, stringsOf } from '../../src/console/readable-jcs.ts'
import { parseStrictForm } from '../../src/protocol/form.ts'
import { normaliseHtu } from '../../src/protocol/htu.ts'
import { canonicalJson } from '../../src/protocol/jcs.ts'
import { parseStrictJsonText } from '../../src/protocol/json.ts'
import { normalisePrompt } from '../../src/protocol/prompt-normalisation.ts'
import { isResourceUri } from '../../src/protocol/resource-uri.ts'
import { visibleText } from '../../src/protocol/visible-text.ts'
import { basicCredentials } from '../../src/server/token/basic-credentials.ts'
import { checkBodyHeaders } from '../../src/verifier/adapters/body-headers.ts'
import { hasExactNumbers } from '../../src/verifier/exact-numbers.ts'
import { readSoon } from '../linear.ts'
import { outcome } from '../outcome.ts'
import { regularExpressions } from '../reference/regular-expressions.ts'
import { target } from '../target.ts'

/** Where a part may be as long as it likes, by the file. */
const FOUND = Map.groupBy(
  regularExpressions().filter(({ regex }) => /[*+]|\{\d+,\}/.test(regex.source)),
  ({ path }) => path,
)

/** Expressions that take quadratic time, and the longest text that they ever see. */
const BOUNDED: ReadonlyMap<string, number> = new Map([
  // The end of one SHA-256 in base64.
  ['src/console/digest-check.ts /=+$/', 44],
  // The path of the page's own address, in the browser of its user.
  ['src/console/api.ts /\\/console\\/.*$/', 2_048],
  // The zone of an address that `isIPv6` took, which has neither a second percent sign nor a line end.
  ['src/server/address-group.ts /%.*$/', 1_024],
  // MAX_LITERAL: what is longer is refused before.
  ['src/verifier/exact-numbers.ts /0+$/', 64],
  // Only well-formed JSON of the server comes here, whose strings all end: as a reader it is tried at full length below.
  ['src/console/readable-jcs.ts /"(?:[^"\\\\]|\\\\.)*"|[[{][\\]}]|[[\\]{},:]/g', 512],
])

/** Readers of whole texts, which build what they match, or match again and again. */
const READERS: ReadonlyMap<string, (text: string) => unknown> = new Map<string, (text: string) => unknown>([
  ['parseStrictJsonText', text => outcome(() => parseStrictJsonText(text), 'invalid_request')],
  ['parseStrictForm', text => outcome(() => parseStrictForm(Buffer.from(text)), 'invalid_request', 'invalid_target')],
  ['normaliseHtu', normaliseHtu],
  ['normalisePrompt', normalisePrompt],
  ['visibleText', text => visibleText(text)],
  ['isResourceUri', isResourceUri],
  ['basicCredentials', basicCredentials],
  ['hasExactNumbers', text => hasExactNumbers(JSON.stringify([text, Number.parseFloat(text)]))],
  [
    'readableJcs',
    text =>
      readableJcs(canonicalJson([text, { [text]: 1 }]))
        .split('\n')
        .map(stringsOf),
  ],
  ['checkBodyHeaders', text => outcome(() => checkBodyHeaders(requestOfType(text)), 'invalid_request')],
])

function requestOfType(type: string): IncomingMessage {
  const request = new IncomingMessage(new Socket())
  request.rawHeaders = ['content-type', type]
  return request
}

const COMMON = [
  'a',
  'A',
  '0',
  '1',
  ' ',
  '\n',
  '\t',
  '-',
  '.',
  '/',
  '=',
  '"',
  '\\',
  '{',
  '[',
  '\u00e9',
  '\u0301',
  '%',
  '+',
]

/** What a pattern itself speaks of: pieces of its source, and texts that it would take. */
function piecesOf(regex: RegExp): fc.Arbitrary<string> {
  const literals = regex.source.replace(/\\[a-zA-Z](?:\{[^}]*\})?/g, '').match(/[^\\()[\]?*+|^$]+|[/.+*?]/g) ?? []
  const own = literals.flatMap(text => [text, ...text])
  return fc.oneof(fc.constantFrom(...COMMON, ...own), matchOf(regex))
}

/** Classes of very many characters, and what is not known how to draw: the pieces of the source must do. */
const TOO_WIDE = /\[\^|\\[pPSWDnbBkud1-9]|\(\?[=!<]|--/

function matchOf(regex: RegExp): fc.Arbitrary<string> {
  if (TOO_WIDE.test(regex.source)) return fc.constantFrom(...COMMON)
  return fc.stringMatching(new RegExp(regex.source, regex.flags.replace(/[giy]/g, '')), { size: 'small' })
}

const input = z.object({ what: z.string(), head: z.string(), pump: z.string(), tail: z.string() })
const drawn = fc.oneof(
  {
    arbitrary: fc
      .constantFrom(...[...FOUND.values()].flat())
      .map(({ path, regex }) => ({ what: path, pieces: piecesOf(regex) })),
    weight: 4,
  },
  {
    arbitrary: fc.constantFrom(...READERS.keys()).map(what => ({ what, pieces: fc.constantFrom(...COMMON) })),
    weight: 1,
  },
)

export const linearTime = target({
  name: 'regular-expressions',
  rule: 'every regular expression and every reader of text is over soon at 64 KB (attacks.md 112)',
  input,
  arbitrary: drawn.chain(({ what, pieces }) => {
    const some = fc.array(pieces, { maxLength: 3 }).map(all => all.join(''))
    const pump = fc.array(pieces, { minLength: 1, maxLength: 2 }).map(all => all.join('') || 'a')
    return fc.record({ what: fc.constant(what), head: some, pump, tail: some })
  }),
  shortRuns: 150,
  holds({ what, ...pump }) {
    const reader = READERS.get(what)
    if (reader) readSoon(reader, pump, `${what} on ${JSON.stringify(pump)}`)
    // What is kept of a file that is gone has nothing to say any more.
    for (const { path, regex } of FOUND.get(what) ?? []) {
      const name = `${path} ${regex}`
      readSoon(text => matchAll(regex, text), pump, `${name} on ${JSON.stringify(pump)}`, BOUNDED.get(name))
    }
  },
})

function matchAll(regex: RegExp, text: string): unknown {
  regex.lastIndex = 0
  return regex.global ? text.replace(regex, '') : regex.exec(text)
}
