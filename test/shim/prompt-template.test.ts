import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { agentChecksum } from '../../src/protocol/checksum.ts'
import { OAuthError } from '../../src/protocol/errors.ts'
import { type PromptVariable, promptTemplate } from '../../src/shim/prompt-template.ts'

const rule = { type: 'string', max_length: 20 } as const
type Values = Readonly<Record<string, string | number | boolean>>

function refused(reason: string) {
  return (error: unknown) => error instanceof OAuthError && error.code === 'invalid_request' && error.reason === reason
}

function renderOne(variable: PromptVariable, value: string | number | boolean): string {
  return promptTemplate({ template: '<{{it}}>', variables: { it: variable } }).render({ it: value })
}

test('a template is rendered with its values, each as often as its hole stands (protocol.md, prompt templates)', () => {
  const { template, variables, render } = promptTemplate({
    template: 'Help {{name}} with {{count}} of {{count}} orders. Urgent: {{urgent}}. {"json": {"kept": 1}}',
    variables: { name: rule, count: { type: 'integer', minimum: 0, maximum: 9 }, urgent: { type: 'boolean' } },
  })
  assert.equal(
    render({ name: 'Anna', count: 3, urgent: false }),
    'Help Anna with 3 of 3 orders. Urgent: false. {"json": {"kept": 1}}',
  )
  assert.match(template, /^Help \{\{name\}\}/)
  assert.deepEqual(variables, {
    name: { type: 'string', max_length: 20 },
    count: { type: 'integer', minimum: 0, maximum: 9 },
    urgent: { type: 'boolean' },
  })
})

test('[attack 89] a value is put in once and as it is: a hole in it stays text', () => {
  const { render } = promptTemplate({ template: '{{a}} {{b}}', variables: { a: rule, b: rule } })
  assert.equal(render({ a: '{{b}}', b: '$& $1 $$' }), '{{b}} $& $1 $$')
})

test('[attack 89] whatever string is given, the rendered prompt is the template around it, or the value is refused', () => {
  const { render } = promptTemplate({ template: 'Answer {{question}}.', variables: { question: rule } })
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 30 }), question => {
      try {
        return render({ question }) === `Answer ${question}.` && [...question].length <= 20
      } catch (error) {
        return error instanceof OAuthError
      }
    }),
  )
})

test('every hole is declared, every declaration is used, and two braces begin nothing else', () => {
  const wrong: readonly [string, Readonly<Record<string, PromptVariable>>][] = [
    ['{{a}} {{b}}', { a: rule }],
    ['{{a}}', { a: rule, b: rule }],
    ['{{ a }} {{a}}', { a: rule }],
    ['{{a}} {{', { a: rule }],
    ['{{{a}}}', { a: rule }],
    ['{{#a}}{{a}}', { a: rule }],
    ['{{1a}}', { '1a': rule }],
  ]
  for (const [template, variables] of wrong) {
    assert.throws(() => promptTemplate({ template, variables }), refused('prompt_template'), template)
  }
})

test('a declaration that limits nothing is refused', () => {
  const wrong: readonly PromptVariable[] = [
    { type: 'string', max_length: 0 },
    { type: 'string', max_length: 5, pattern: '(' },
    { type: 'string', max_length: 5, pattern: 'a)|(?:b' },
    { type: 'string', enum: [] },
    { type: 'integer', minimum: 2, maximum: 1 },
    { type: 'integer', minimum: 0.5, maximum: 1 },
  ]
  for (const it of wrong) {
    assert.throws(() => promptTemplate({ template: '{{it}}', variables: { it } }), refused('prompt_template'))
  }
  for (const text of ['{"type": "string"}', '{"type": "number"}', '{"type": "boolean", "minimum": 1}', 'null']) {
    const variables = { it: JSON.parse(text) }
    assert.throws(() => promptTemplate({ template: '{{it}}', variables }), refused('prompt_template'), text)
  }
})

test('[attack 89] a value outside its declared type is refused before any call', () => {
  const integer = { type: 'integer', minimum: 1, maximum: 5 } as const
  const wrong: readonly [PromptVariable, string | number | boolean, string][] = [
    [rule, 5, 'prompt_variable_type'],
    [rule, true, 'prompt_variable_type'],
    [integer, '3', 'prompt_variable_type'],
    [integer, 2.5, 'prompt_variable_type'],
    [integer, Number.NaN, 'prompt_variable_type'],
    [integer, 0, 'prompt_variable_value'],
    [integer, 6, 'prompt_variable_value'],
    [{ type: 'boolean' }, 'true', 'prompt_variable_type'],
    [{ type: 'string', enum: ['eu', 'us'] }, 'EU', 'prompt_variable_value'],
    [{ ...rule, pattern: '[0-9]+' }, '12, obey me', 'prompt_variable_value'],
    [{ ...rule, pattern: 'a|b', multiline: true }, 'b\nand more', 'prompt_variable_value'],
    [{ ...rule, pattern: 'a|b' }, 'obey b', 'prompt_variable_value'],
  ]
  for (const [variable, value, reason] of wrong) {
    assert.throws(() => renderOne(variable, value), refused(reason), `${value}`)
  }
  assert.equal(renderOne({ ...rule, pattern: '[0-9]+' }, '12'), '<12>')
  assert.equal(renderOne({ type: 'string', enum: ['eu', 'us'] }, 'eu'), '<eu>')
  assert.equal(renderOne(integer, 5), '<5>')
})

test('[attack 89] a length is counted in code points', () => {
  assert.equal(renderOne({ type: 'string', max_length: 3 }, '𝒳𝒳𝒳'), '<𝒳𝒳𝒳>')
  for (const long of ['abcd', '𝒳𝒳𝒳𝒳', 'x'.repeat(1_000_000)]) {
    assert.throws(() => renderOne({ type: 'string', max_length: 3 }, long), refused('prompt_variable_length'))
  }
})

test('[attack 85] control and hidden characters of a value are refused unless they are declared', () => {
  for (const hidden of ['\u0000', '\u001b', '\r', '\u200b', '\u202e', '\u{e0041}', '\ufeff', '\ue000', '\u2028']) {
    assert.throws(() => renderOne(rule, `a${hidden}b`), refused('prompt_variable_hidden'), JSON.stringify(hidden))
    assert.equal(renderOne({ ...rule, hidden_characters: true }, `a${hidden}b`), `<a${hidden}b>`)
  }
  for (const line of ['\n', '\t']) {
    assert.throws(() => renderOne(rule, `a${line}b`), refused('prompt_variable_hidden'))
    assert.equal(renderOne({ ...rule, multiline: true }, `a${line}b`), `<a${line}b>`)
  }
  assert.throws(() => renderOne({ ...rule, hidden_characters: true }, '\ud800'), refused('prompt_variable_hidden'))
  assert.equal(renderOne(rule, 'Zoë 👩‍👩‍👧 ok'), '<Zoë 👩‍👩‍👧 ok>')
})

test('a template knows the texts that it rendered, and no other', () => {
  const { render, rendered } = promptTemplate({ template: 'Help {{name}}.', variables: { name: rule } })
  const text = render({ name: 'Anna' })
  assert.ok(rendered(text))
  assert.ok(!rendered('Help Otto.'))
  assert.ok(!rendered(`${text} Obey.`))
})

test('values are given for exactly the declared variables, and inherited ones are none', () => {
  const { render } = promptTemplate({ template: '{{a}}{{toString}}', variables: { a: rule, toString: rule } })
  assert.throws(() => render({ a: 'x' }), refused('prompt_variable_missing'))
  assert.throws(() => render({ a: 'x', toString: 'y', other: 'z' }), refused('prompt_variable_unknown'))
  const inherited: Values = Object.create({ a: 'x' })
  assert.throws(() => render({ ...inherited, toString: 'y' }), refused('prompt_variable_missing'))
})

test('[attack 89] a looser declaration or another text is another checksum; who changes what was declared changes nothing', () => {
  const name: { type: 'string'; max_length: number } = { type: 'string', max_length: 20 }
  const declared = { template: 'Help {{name}}.', variables: { name } }
  function checksum({ template, variables }: ReturnType<typeof promptTemplate>): string {
    const configuration = { prompt_variables: variables }
    return agentChecksum({ agent_id: 'a', prompt_template: template, tools: [], configuration })
  }
  const prompt = promptTemplate(declared)
  const before = checksum(prompt)
  assert.notEqual(checksum(promptTemplate({ ...declared, variables: { name: { ...name, max_length: 21 } } })), before)
  assert.notEqual(checksum(promptTemplate({ ...declared, template: 'Obey {{name}}.' })), before)
  name.max_length = 4000
  assert.equal(checksum(prompt), before)
  assert.throws(() => prompt.render({ name: 'x'.repeat(21) }), refused('prompt_variable_length'))
})
