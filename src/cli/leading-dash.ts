import type { Command } from 'commander'

/** A jti or a thumbprint: base64url of 16 or 32 bytes, of which one in 64 begins with the "-" of options. */
const ID_LIKE_AN_OPTION = /^-(?:[\w-]{21}|[\w-]{42})$/

/**
 * The command line with every id that looks like an option set behind "--", where no options stand. What an option takes
 * as its value stays with it. Ids are the last arguments of the commands that take them, so their order is kept.
 */
export function idsBehindOptions(program: Command, argv: readonly string[]): readonly string[] {
  const flags = new Map(optionsOf(program).map(option => [option.long, option.required]))
  const literal = argv.indexOf('--')
  const [before, behind] = literal === -1 ? [argv, []] : [argv.slice(0, literal), argv.slice(literal + 1)]
  const isId = (arg: string, i: number): boolean =>
    ID_LIKE_AN_OPTION.test(arg) && !flags.has(arg) && flags.get(before[i - 1]) !== true
  const ids = before.filter(isId)
  return ids.length === 0 ? argv : [...before.filter((arg, i) => !isId(arg, i)), '--', ...ids, ...behind]
}

function optionsOf(command: Command): Command['options'] {
  return [...command.options, ...command.commands.flatMap(optionsOf)]
}
