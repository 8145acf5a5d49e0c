/** Values for the {placeholders} of a command; what is not known stands in capitals, for whoever reads it to fill in. */
export type CommandIds = Readonly<Record<string, string | null | undefined>>

const PLAIN = /^[A-Za-z0-9._:/@%+=,-]+$/

/** A command line for a shell of the POSIX kind, with the ids in it: they end no word and begin no option. */
export function fillCommand(template: string, ids: CommandIds): string {
  const words = template.split(' ').map(word => filled(word, ids))
  const fixed = words.findIndex((word, at) => word !== template.split(' ')[at])
  const rest = fixed === -1 ? [] : words.slice(fixed)
  // A jti may begin with a dash: behind "--" it is read as a word.
  const names = rest.filter((word, at) => !isOption(word) && !isOption(rest[at - 1]))
  if (!names.some(word => word.startsWith('-'))) return words.join(' ')
  const options = rest.filter((word, at) => isOption(word) || isOption(rest[at - 1]))
  return [...words.slice(0, fixed), ...options, '--', ...names].join(' ')
}

function filled(word: string, ids: CommandIds): string {
  const name = /^\{([a-z_]+)\}$/.exec(word)?.[1]
  if (name === undefined) return word
  const value = ids[name]
  return value === null || value === undefined || value === '' ? name.toUpperCase() : quoted(value)
}

function isOption(word: string | undefined): boolean {
  return word !== undefined && /^--[a-z-]+$/.test(word)
}

function quoted(value: string): string {
  return PLAIN.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`
}
