# The layers of the program and who may know whom.
#
# popgate_layer(NAME SOURCES file... KNOWS layer... [LINKS target...]) makes the static library of one
# folder. Its sources include headers of ours as "folder/header.h"; the only folders they can see are
# their own and those listed after KNOWS: each layer is compiled against a private directory of links
# to exactly those, so that a forbidden include does not compile.

function(popgate_view NAME)
	set(view ${PROJECT_BINARY_DIR}/view/${NAME})
	file(REMOVE_RECURSE ${view})
	file(MAKE_DIRECTORY ${view})
	foreach(folder IN LISTS ARGN)
		file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${folder} ${view}/${folder} SYMBOLIC)
	endforeach()
endfunction()

function(popgate_layer NAME)
	cmake_parse_arguments(LAYER "" "" "SOURCES;KNOWS;LINKS" ${ARGN})
	get_filename_component(folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
	popgate_view(${NAME} ${folder} ${LAYER_KNOWS})
	if(NOT LAYER_SOURCES)
		add_library(${NAME} INTERFACE)
		return()
	endif()
	add_library(${NAME} STATIC ${LAYER_SOURCES})
	target_include_directories(${NAME} PRIVATE ${PROJECT_BINARY_DIR}/view/${NAME})
	target_link_libraries(${NAME} PRIVATE popgate_options ${LAYER_LINKS})
	target_link_libraries(${NAME} PUBLIC ${LAYER_KNOWS})
endfunction()
