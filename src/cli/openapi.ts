import { writeFile } from 'node:fs/promises'
import { Argument, type Command } from 'commander'
import { openSession } from './session.ts'

export function addOpenapiCommand(program: Command): void {
  program
    .command('openapi')
    .description('write the OpenAPI document, made from the schemas of the routes')
    .addArgument(new Argument('[file]', 'where to').default('openapi.yaml'))
    .action(async (file: string, _options: unknown, command: Command) => {
      const { out } = openSession(command)
      const { generateOpenapi } = await import('../server/openapi.ts')
      await writeFile(file, await generateOpenapi())
      out.result({ file }, `Written: ${file}`)
    })
}
