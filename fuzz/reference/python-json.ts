/*
 * `json.dumps(value, sort_keys=True)` of Python, from its documentation and from protocol.md section 4 alone. A number
 * is its literal, so that `1` is an int and `1.0` a float.
 */

export type Literal = { readonly literal: string }
export type Tree = null | boolean | string | Literal | readonly Tree[] | ReadonlyMap<string, Tree>

export function pythonDumps(tree: Tree): string {
  if (tree === null) return 'null'
  if (tree === true) return 'true'
  if (tree === false) return 'false'
  if (typeof tree === 'string') return dumpText(tree)
  if (tree instanceof Map) {
    const names = [...tree.keys()].sort(byCodePoint)
    return `{${names.map(name => `${dumpText(name)}: ${pythonDumps(tree.get(name) ?? null)}`).join(', ')}}`
  }
  if ('literal' in tree) return dumpNumber(tree.literal)
  return Array.isArray(tree) ? `[${tree.map(pythonDumps).join(', ')}]` : ''
}

function byCodePoint(a: string, b: string): number {
  const [left, right] = [a, b].map(text => Array.from(text, one => one.codePointAt(0) ?? 0))
  for (const [at, code] of (left ?? []).entries()) {
    const other = right?.[at] ?? -1
    if (code !== other) return code - other
  }
  return (left?.length ?? 0) - (right?.length ?? 0)
}

function dumpText(text: string): string {
  const short = new Map(
    Object.entries({ '"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\f': '\\f', '\b': '\\b' }),
  )
  let out = ''
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charAt(at)
    const code = text.charCodeAt(at)
    const isPlain = code >= 32 && code <= 126
    out += short.get(unit) ?? (isPlain ? unit : `\\u${(0x10000 + code).toString(16).slice(1)}`)
  }
  return `"${out}"`
}

function dumpNumber(literal: string): string {
  if (!/[.eE]/.test(literal)) return BigInt(literal).toString()
  const value = Number(literal)
  const sign = value < 0 || Object.is(value, -0) ? '-' : ''
  return sign + floatRepr(String(Math.abs(value)))
}

/** From ECMAScript's own shortest digits, moved to where `float.__repr__` puts the point. */
function floatRepr(shortest: string): string {
  const [mantissa = '', power = '0'] = shortest.split('e')
  const [whole = '', part = ''] = mantissa.split('.')
  const all = (whole + part).replace(/^0+/, '')
  const digits = all.replace(/0+$/, '')
  if (digits === '') return '0.0'
  const leading = (whole + part).length - all.length
  // Digits before the point, were it moved behind the first that is not zero.
  const point = whole.length - leading + Number(power)
  if (point > 16 || point < -3) {
    const exponent = point - 1
    const shown = `${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
    return `${digits.slice(0, 1)}${digits.length > 1 ? '.' : ''}${digits.slice(1)}e${shown}`
  }
  if (point <= 0) return `0.${'0'.repeat(-point)}${digits}`
  return `${digits.padEnd(point, '0').slice(0, point)}.${digits.slice(point) || '0'}`
}
