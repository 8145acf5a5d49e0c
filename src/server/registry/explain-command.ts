/** Values for the {placeholders} of a command; what is not known stands in capitals, for whoever reads it to fill in. */
export type CommandIds = Readonly<Record<string, string | null | undefined>>

type Word = {
  readonly text: string
  readonly isFilled: boolean
  readonly isOption: boolean
  readonly isDashed: boolean
}

const PLAIN = /^[A-Za-z0-9._:/@%+=,-]+$/

/** A command line for a shell of the POSIX kind, with the ids in it: they end no word and begin no option. */
export function fillCommand(template: string, ids: CommandIds): string {
  const words = template.split(' ').map(word => filled(word, ids))
  const fixed = words.findIndex(word => word.isFilled)
  const rest = fixed === -1 ? [] : words.slice(fixed)
  // An option and its value stay together; what the template says is an option, not what an id looks like.
  const ofOption = (word: Word, at: number) => word.isOption || rest[at - 1]?.isOption === true
  const names = rest.filter((word, at) => !ofOption(word, at))
  // An id may begin with a dash: behind "--" it is read as a word.
  if (!names.some(word => word.isDashed)) return line(words)
  return [line([...words.slice(0, fixed), ...rest.filter(ofOption)]), '--', line(names)].join(' ')
}

function filled(word: string, ids: CommandIds): Word {
  const name = /^\{([a-z_]+)\}$/.exec(word)?.[1]
  if (name === undefined) return { text: word, isFilled: false, isOption: word.startsWith('--'), isDashed: false }
  const value = ids[name]
  const isKnown = value !== null && value !== undefined && value !== ''
  const text = isKnown ? quoted(value) : name.toUpperCase()
  return { text, isFilled: true, isOption: false, isDashed: isKnown && value.startsWith('-') }
}

function line(words: readonly Word[]): string {
  return words.map(word => word.text).join(' ')
}

function quoted(value: string): string {
  return PLAIN.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`
}
