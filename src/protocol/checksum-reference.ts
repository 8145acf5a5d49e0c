import { sha256Hex } from './digest.ts'
import { OAuthError } from './errors.ts'
import { isJsonObject } from './json.ts'
import { normalisePrompt } from './prompt-normalisation.ts'

/** What profile `reference` covers; numbers are plain, or `JSON.rawJSON` where they were read in a written form. */
export type ReferenceChecksumComponents = {
  readonly agent_id: string
  readonly prompt_template: string
  readonly tools: readonly ReferenceTool[]
  readonly configuration?: Readonly<Record<string, unknown>>
}
export type ReferenceTool = {
  readonly name: string
  readonly signature?: string
  readonly description?: string
  readonly source_code?: string | null | undefined
}

const COMPONENT_MEMBERS: ReadonlySet<string> = new Set(['agent_id', 'prompt_template', 'tools', 'configuration'])
const TOOL_MEMBERS: ReadonlySet<string> = new Set(['name', 'signature', 'description', 'source_code'])
const INTEGER = /^-?(?:0|[1-9]\d*)$/
/** Python's `repr` writes an exponent from here on; ECMAScript does so later. */
const PYTHON_EXPONENT_FROM = 16
const PYTHON_EXPONENT_BELOW = -4
const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
}

/**
 * The text that profile `reference` hashes (protocol.md section 4, [D] section 5.3.2): what Python's
 * `json.dumps(…, sort_keys=True)` makes of the components after `json.loads`. Throws `invalid_request`.
 */
export function referenceComponents(components: ReferenceChecksumComponents): string {
  return pythonJson({ id: components.agent_id, ...contentOf(components) })
}

/** `referenceComponents` without the agent's own name: what two agents of one content have in common. */
export function referenceContent(components: ReferenceChecksumComponents): string {
  return pythonJson(contentOf(components))
}

/** SHA-256 of `referenceComponents` in bare lowercase hex. Throws `invalid_request`. */
export function referenceChecksum(components: ReferenceChecksumComponents): string {
  return sha256Hex(referenceComponents(components))
}

function contentOf(components: ReferenceChecksumComponents): Readonly<Record<string, unknown>> {
  refuseOtherMembers(components, COMPONENT_MEMBERS)
  const { prompt_template, tools, configuration = {} } = components
  if (new Set(tools.map(tool => tool.name)).size !== tools.length) {
    throw refusal('Two tools have one name.', 'duplicate_tool_name')
  }
  const byName = tools.toSorted((a, b) => compareCodePoints(a.name, b.name))
  return { prompt: normalisePrompt(prompt_template), tools: byName.map(hashedTool), config: configuration }
}

function hashedTool(tool: ReferenceTool): Readonly<Record<string, unknown>> {
  refuseOtherMembers(tool, TOOL_MEMBERS)
  const { name, signature = '', description = '', source_code } = tool
  return { name, signature, description, ...(typeof source_code === 'string' && { source_code }) }
}

/** `json.dumps(value, sort_keys=True)` with its defaults: `", "`, `": "`, ASCII only. */
function pythonJson(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return pythonString(value)
  if (typeof value === 'number') return pythonNumber(JSON.stringify(value))
  if (JSON.isRawJSON(value)) return pythonNumber(value.rawJSON)
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(', ')}]`
  if (!isJsonObject(value)) throw refusal('The value has no canonical JSON form.', 'json_not_canonical')
  const members = Object.entries(value).toSorted(([a], [b]) => compareCodePoints(a, b))
  return `{${members.map(([name, member]) => `${pythonString(name)}: ${pythonJson(member)}`).join(', ')}}`
}

function pythonString(text: string): string {
  if (!text.isWellFormed()) throw refusal('A text has a lone surrogate.', 'json_lone_surrogate')
  const escaped = text.replace(/["\\]|[^\x20-\x7e]/g, unit => {
    return SHORT_ESCAPES[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
  return `"${escaped}"`
}

/** A literal without fraction and exponent is an `int`, any other a `float`, which is written as `repr` writes it. */
function pythonNumber(literal: string): string {
  const value = Number(literal)
  const isInteger = INTEGER.test(literal)
  // An int has no negative zero.
  if (isInteger && Number.isSafeInteger(value)) return value === 0 ? '0' : literal
  if (isInteger || literal === 'null' || !Number.isFinite(value)) {
    throw refusal('A number is outside the range that every reader keeps exactly.', 'json_number')
  }
  return pythonFloat(value)
}

/** Python's `float.__repr__`: the same shortest digits as ECMAScript's, laid out by other rules. */
function pythonFloat(value: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0'
  const [, sign = '', first = '', rest = '', power = ''] =
    /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(value.toExponential()) ?? []
  const exponent = Number(power)
  if (exponent < PYTHON_EXPONENT_BELOW || exponent >= PYTHON_EXPONENT_FROM) {
    const digits = Math.abs(exponent).toString().padStart(2, '0')
    return `${sign}${first}${rest && `.${rest}`}e${exponent < 0 ? '-' : '+'}${digits}`
  }
  const digits = first + rest
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0')
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`
}

/** Python sorts by code points, which is the order of UTF-8; ECMAScript sorts by UTF-16 units. */
function compareCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'))
}

function refuseOtherMembers(value: object, known: ReadonlySet<string>): void {
  if (Object.keys(value).every(member => known.has(member))) return
  throw refusal('The agent components have a member that the checksum does not cover.', 'unknown_component_member')
}

function refusal(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_request', description, { reason })
}
