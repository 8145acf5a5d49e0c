import { type Command, CommanderError } from 'commander'
import { buildProgram } from '../../src/cli/program.ts'

/**
 * What the command line has against a documented line, without running it: nothing where it is a command of this
 * release with options and arguments that it takes. The name of a command alone is enough; "…" stands for what is left
 * out, brackets for what may be.
 */
export async function complaint(line: string): Promise<string | undefined> {
  const words = wordsOf(line)
  const program = buildProgram()
  prepare(program, words.some(isLeftOut))
  if (isName(program, words)) return undefined
  try {
    await program.parseAsync(
      words.filter(word => !isLeftOut(word)),
      { from: 'user' },
    )
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return error.exitCode === 0 ? undefined : `${line}: ${error.message}`
  }
}

/** Makes a command and those below it say and do nothing, and ask for nothing where a part was left out. */
function prepare(command: Command, leftOut: boolean): void {
  command.configureOutput({ writeOut: () => {}, writeErr: () => {} })
  if (command.commands.length === 0) command.action(() => {})
  for (const option of command.options) if (leftOut) option.mandatory = false
  for (const argument of command.registeredArguments) if (leftOut) argument.required = false
  for (const below of command.commands) prepare(below, leftOut)
}

function isName(command: Command | undefined, [first, ...rest]: readonly string[]): boolean {
  if (command === undefined || first === undefined) return command !== undefined
  return isName(
    command.commands.find(below => below.name() === first),
    rest,
  )
}

function wordsOf(line: string): readonly string[] {
  const words = line.match(/"[^"]*"|'[^']*'|\S+/g) ?? []
  return words.slice(1).map(word => word.replace(/^["'[]|["'\]]$/g, ''))
}

function isLeftOut(word: string): boolean {
  return word === '…' || word === '...'
}
