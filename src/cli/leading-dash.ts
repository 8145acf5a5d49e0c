import type { Command } from 'commander'

/** A jti or a thumbprint: base64url of 16 or 32 bytes, of which one in 64 begins with the "-" of options. */
const ID_LIKE_AN_OPTION = /^-(?:[\w-]{21}|[\w-]{42})$/

/**
 * The command line with an id that looks like an option set behind "--", where no options stand. What an option takes as
 * its value stays with it, and a line on which another operand follows the id stays as it is: the order of operands is
 * what they mean.
 */
export function idsBehindOptions(program: Command, argv: readonly string[]): readonly string[] {
  const flags = new Map(optionsOf(program).map(option => [option.long, option.required]))
  const literal = argv.indexOf('--')
  const before = literal === -1 ? argv : argv.slice(0, literal)
  const isOperand = (arg: string, i: number): boolean => {
    return flags.get(before[i - 1]) !== true && (!arg.startsWith('-') || isId(arg))
  }
  const isId = (arg: string): boolean => ID_LIKE_AN_OPTION.test(arg) && !flags.has(arg)
  const at = before.findLastIndex(isOperand)
  const id = before[at]
  if (id === undefined || !isId(id)) return argv
  return [...before.slice(0, at), ...before.slice(at + 1), '--', id, ...argv.slice(before.length + 1)]
}

function optionsOf(command: Command): Command['options'] {
  return [...command.options, ...command.commands.flatMap(optionsOf)]
}
