import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agentComponentsSchema } from '../../src/protocol/agent.ts'
import { diffComponents } from '../../src/server/registry/agent-diff.ts'
import { viewComponents } from '../../src/server/registry/components.ts'
import { anyHiddenText, hiddenTextPlaces } from '../../src/server/registry/hidden-text.ts'
import { elapsed } from '../protocol/forge.ts'

/** Of a body of 1 MB. */
const BYTES = 1_040_000

function parts(over: object) {
  return agentComponentsSchema.parse({ agent_id: 'a', prompt_template: 'p', tools: [], ...over })
}

const prompt = (text: string, end = '') =>
  parts({
    prompt_template: text.repeat(Math.floor(BYTES / Buffer.byteLength(JSON.stringify(text).slice(1, -1)))) + end,
  })

const HOSTILE = {
  'delete characters': prompt('\x7f'),
  'zero-width spaces': prompt('\u200b'),
  'marks in another order': prompt('\u0315\u0300'),
  'marks that compose': prompt('e\u0301'),
  'letters, the last of which composes': prompt('\u00e9', 'e\u0301'),
  'a word of two alphabets': prompt('a\u0430'),
  'words of two alphabets': prompt('a\u0430 '),
  'words of one alphabet each': prompt('\u00e9 \u0439 '),
  emoji: prompt('\u{1f600}'),
  'families of emoji': prompt('\u{1f468}\u200d\u{1f469}\u200d\u{1f467}'),
  'plain letters of three bytes': prompt('\u8a9e'),
  'one plain line': prompt('a'),
  'empty lines': prompt('\n'),
  'short lines': prompt('\u00e9\n'),
  'tools of delete characters': parts({
    tools: Array.from({ length: 512 }, (_, n) => ({ name: `t${n}`, description: '\x7f'.repeat(1_970) })),
  }),
  'quotes within JSON': parts({
    configuration: Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`k${n}`, '"'.repeat(5_190)])),
  }),
}

const all = Object.entries(HOSTILE)
for (const [at, [name, components]] of all.entries()) {
  test(`[attack 112] a megabyte of ${name} is judged, shown and compared within 300 ms and 2 MB`, () => {
    const before = all.at(at - 1)?.[1] ?? components
    const answer = () => ({
      hidden: anyHiddenText(components),
      places: hiddenTextPlaces(components, '').length,
      components: viewComponents(components),
      diff: diffComponents(before, components),
    })
    const time = elapsed(answer)
    assert.ok(time < 300, `${time} ms`)
    const bytes = Buffer.byteLength(JSON.stringify(answer()))
    assert.ok(bytes < 2_000_000, `${bytes} bytes`)
  })
}

test('[attack 112] one long line is compared as a whole, and says how much of it is left out', () => {
  const { prompt: lines } = diffComponents(prompt('a'), prompt('b'))
  const rest = `⟦… ${BYTES - 20_000} more characters⟧`
  assert.deepEqual(lines, [
    { op: 'remove', text: 'a'.repeat(20_000) + rest },
    { op: 'add', text: 'b'.repeat(20_000) + rest },
  ])
})

test('what was removed leaves room for what is added, and lines without room are counted', () => {
  const lines = (letter: string) => parts({ prompt_template: Array(20).fill(letter.repeat(20_000)).join('\n') })
  const { prompt: shown } = diffComponents(lines('a'), lines('b'))
  assert.deepEqual(
    shown.map(({ op, text }) => (op === 'skip' ? text : `${op} ${text[0]}`)),
    [...Array(5).fill('remove a'), '15 more lines', ...Array(5).fill('add b'), '15 more lines'],
  )
})

test('a plain prompt is shown whole, however long it is', () => {
  const components = prompt('a')
  assert.equal(viewComponents(components).prompt, components.prompt_template)
})

test('tools and configuration that are shown longer than they are sent are cut, and say so', () => {
  const { configuration } = viewComponents(HOSTILE['quotes within JSON'])
  assert.match(configuration, /⟦… \d+ more characters⟧$/)
})

test('[attack 85] a line feed or tab in a member name is hidden text, in a value it is not', () => {
  for (const name of ['a\nb', 'a\tb', 'a\r\nb']) {
    assert.equal(anyHiddenText({ configuration: { [name]: 1 } }), true)
    assert.equal(anyHiddenText({ configuration: { a: name } }), false)
  }
  const [place] = hiddenTextPlaces({ 'a\nb': 1 }, 'configuration')
  assert.equal(place?.where, 'configuration.a⟦U+000A⟧b')
})
