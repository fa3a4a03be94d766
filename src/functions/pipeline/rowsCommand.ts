/** The command that shows the rows of one partition. The reader knows the storage account; Keyward's core does not. */
export const rowsCommand = (table: string, partition: string): string =>
  `az storage entity query --table-name keyward${table} --account-name "$STORAGE_ACCOUNT" --auth-mode login --filter "PartitionKey eq '${partition}'"`;
