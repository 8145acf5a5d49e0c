import { z } from 'zod'
import { sha256Base64url } from '../protocol/digest.ts'
import { OAuthError } from '../protocol/errors.ts'
import { EMOJI, HIDDEN } from '../protocol/hidden-characters.ts'
import { isJsonObject, type JsonObject, parseStrictJsonText } from '../protocol/json.ts'

/** A prompt with holes: text, and what may stand in each hole, are what is hashed. */
export type PromptTemplate = {
  readonly template: string
  /** The declarations as they stand in the hashed configuration (`prompt_variables`). */
  readonly variables: JsonObject
  /** The prompt with values put in; throws `invalid_request` for one outside its declared type or length. */
  readonly render: (values: Readonly<Record<string, string | number | boolean>>) => string
  /** Whether a text is one of the last 10,000 that were rendered: a model that is given it is given this template. */
  readonly rendered: (text: string) => boolean
}

/** What may stand in one hole; lengths in code points. */
export type PromptVariable =
  | {
      readonly type: 'string'
      readonly max_length: number
      /** A regular expression (ECMA-262, with `v`) of the whole value. */
      readonly pattern?: string
      /** Tabs and line feeds may be in it. */
      readonly multiline?: boolean
      /** Other control, invisible and bidirectional characters may be in it. */
      readonly hidden_characters?: boolean
    }
  | { readonly type: 'string'; readonly enum: readonly string[] }
  | { readonly type: 'integer'; readonly minimum: number; readonly maximum: number }
  | { readonly type: 'boolean' }

/** Digests only: what was put into the holes is nobody's business afterwards. */
const MAX_REMEMBERED = 10_000
const NAME = /^[A-Za-z][A-Za-z0-9_]{0,63}$/
const HOLE = /\{\{([A-Za-z][A-Za-z0-9_]{0,63})\}\}/g
const EMOJI_SEQUENCES = new RegExp(EMOJI, 'gv')
const HIDDEN_CHARACTER = new RegExp(HIDDEN, 'v')
const variablesSchema = z.record(
  z.string().regex(NAME),
  z.union([
    z.strictObject({
      type: z.literal('string'),
      max_length: z.int().min(1),
      pattern: z.string().refine(isPattern).optional(),
      multiline: z.boolean().optional(),
      hidden_characters: z.boolean().optional(),
    }),
    z.strictObject({ type: z.literal('string'), enum: z.array(z.string()).min(1) }),
    z
      .strictObject({ type: z.literal('integer'), minimum: z.int(), maximum: z.int() })
      .refine(({ minimum, maximum }) => minimum <= maximum),
    z.strictObject({ type: z.literal('boolean') }),
  ]),
)

/**
 * A prompt template: `{{name}}` stands for a value, each declared, each used. A value is put in as it is, once: what looks
 * like a hole in it stays text. Throws `invalid_request` for a template that does not fit its declarations.
 *
 * It keeps a value within its type, its length and visible characters. It cannot tell data from instructions: a sentence
 * within the limits may still carry one, and the model may follow it. So keep strings short or enumerated, and let scope,
 * step and approval bound what can come of it (attacks.md 89).
 */
export function promptTemplate(declared: {
  readonly template: string
  readonly variables: Readonly<Record<string, PromptVariable>>
}): PromptTemplate {
  const { template } = declared
  // A copy: who changes the declaration afterwards changes neither the hash nor the checks.
  const variables = parseStrictJsonText(JSON.stringify(declared.variables))
  const rules = variablesSchema.safeParse(variables)
  if (!rules.success || !isJsonObject(variables)) throw malformed('A prompt variable is not declared right.')
  const known = new Map(Object.entries(rules.data))
  const used = new Set([...template.matchAll(HOLE)].map(([, name = '']) => name))
  if (template.replace(HOLE, '').includes('{{') || template.includes('{{{')) {
    throw malformed('The prompt template has two opening braces that begin no hole.')
  }
  if ([...used].some(name => !known.has(name))) throw malformed('The prompt template has a hole that is not declared.')
  if ([...known.keys()].some(name => !used.has(name))) throw malformed('A declared prompt variable stands in no hole.')

  const remembered = new Set<string>()

  return {
    template,
    variables,
    rendered: text => remembered.has(sha256Base64url(text)),
    render(values) {
      if (Object.keys(values).some(name => !known.has(name))) {
        throw refusal('A value was given for a prompt variable that is not declared.', 'prompt_variable_unknown')
      }
      const texts = new Map(
        [...known].map(([name, rule]) => [
          name,
          textOf(rule, name, Object.hasOwn(values, name) ? values[name] : undefined),
        ]),
      )
      const text = template.replace(HOLE, (_, name: string) => texts.get(name) ?? '')
      remembered.add(sha256Base64url(text))
      const [oldest] = remembered
      if (remembered.size > MAX_REMEMBERED && oldest !== undefined) remembered.delete(oldest)
      return text
    },
  }
}

type Rule = z.infer<typeof variablesSchema>[string]

function textOf(rule: Rule, name: string, value: unknown): string {
  if (value === undefined) throw refusal(`The prompt variable ${name} has no value.`, 'prompt_variable_missing')
  const isOfType = rule.type === 'integer' ? Number.isSafeInteger(value) : typeof value === rule.type
  if (!isOfType) throw refusal(`The prompt variable ${name} is not of type ${rule.type}.`, 'prompt_variable_type')
  const text = String(value)
  if (rule.type === 'string') checkText(rule, name, text)
  if (rule.type === 'integer' && (Number(value) < rule.minimum || Number(value) > rule.maximum)) {
    throw refusal(`The prompt variable ${name} is outside its range.`, 'prompt_variable_value')
  }
  return text
}

function checkText(rule: Extract<Rule, { type: 'string' }>, name: string, text: string): void {
  if ('enum' in rule) {
    if (rule.enum.includes(text)) return
    throw refusal(`The prompt variable ${name} is none of its declared values.`, 'prompt_variable_value')
  }
  // In UTF-16 units first: nobody counts the code points of a text of megabytes.
  if (text.length > 2 * rule.max_length || [...text].length > rule.max_length) {
    throw refusal(
      `The prompt variable ${name} is longer than ${rule.max_length} code points.`,
      'prompt_variable_length',
    )
  }
  const isHidden = HIDDEN_CHARACTER.test(text.replace(EMOJI_SEQUENCES, ''))
  const hasLines = /[\t\n]/.test(text)
  if (!text.isWellFormed() || (isHidden && !rule.hidden_characters) || (hasLines && !rule.multiline)) {
    throw refusal(`The prompt variable ${name} has control or hidden characters.`, 'prompt_variable_hidden')
  }
  if (rule.pattern !== undefined && !wholeOf(rule.pattern).test(text)) {
    throw refusal(`The prompt variable ${name} does not have its declared pattern.`, 'prompt_variable_value')
  }
}

function isPattern(pattern: string): boolean {
  try {
    // By itself first: a stray bracket must not close the group around it.
    new RegExp(pattern, 'v')
    return true
  } catch {
    return false
  }
}

function wholeOf(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`, 'v')
}

function malformed(description: string): OAuthError {
  return refusal(description, 'prompt_template')
}

function refusal(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_request', description, { reason })
}
