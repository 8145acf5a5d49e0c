import type { OAuthError } from '../../protocol/errors.ts'

/** An item of a batch: in order by itself, or refused before anybody looked at the registry. */
export type BatchItem<T> = { readonly body: T } | RefusedItem

/** `id` where the item names what it is about in a form that we accept. */
export type RefusedItem = { readonly refusal: OAuthError; readonly id: string | undefined }
